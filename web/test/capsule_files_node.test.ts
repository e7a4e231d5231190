/**
 * Files of a database in files of the system: against a model, with a system that fails, and one process at a
 * time.
 */
import assert from "node:assert/strict";
import * as system from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, suite, test } from "node:test";
import { FailureCode } from "../src/capsule/files.ts";
import { NodeFiles, claimDatabase, type FileSystem } from "../src/capsule/files_node.ts";
import { part, partArguments, startChild } from "./child.ts";
import { FileCaller, RandomProgram, type Model } from "./file_caller.ts";
import { Random } from "./random.ts";

if (part === "hold") {
  const { path } = claimDatabase(partArguments[0] as string);
  console.log(`held ${path}`);
  // Until it is killed.
  process.stdin.resume();
} else if (part === undefined) {
  tests();
}

type Call = keyof FileSystem;

/** The system, but for calls that `fault` answers in its place, or throws for. */
function faulty(fault: (call: Call, args: unknown[]) => unknown): FileSystem {
  return new Proxy(system as FileSystem, {
    get: (target, call: Call) =>
      function (...args: unknown[]) {
        const answer = fault(call, args);
        return answer === undefined ? (target[call] as (...args: unknown[]) => unknown)(...args) : answer;
      },
  });
}

const systemError = (code: string) => Object.assign(new Error(`${code}: of the test`), { code });

function tests(): void {
  const folder = system.realpathSync(system.mkdtempSync(join(tmpdir(), "perilune-files-")));
  after(() => system.rmSync(folder, { recursive: true }));
  let folders = 0;
  const fresh = () => {
    const path = join(folder, String(folders++));
    system.mkdirSync(path);
    return path;
  };

  suite("files of the system", () => {
    test("do what files do", () => {
      for (let seed = 1; seed <= 40; seed++) {
        const random = new Random(seed);
        const place = fresh();
        const names = ["app.db", "app.db-wal", "app.db-journal", "größer.db"].map((name) => join(place, name));
        const model: Model = new Map();
        for (let round = 0; round < 2; round++) {
          const files = new NodeFiles();
          const program = new RandomProgram(new FileCaller(files), model, random, names);
          for (let i = 0; i < 60; i++) {
            const step = program.next();
            assert.ok(step.run() >= 0, `seed ${seed}`);
            step.apply();
          }
          program.check();
          files.closeAll();
          for (const name of names) assert.equal(system.existsSync(name), model.has(name));
        }
      }
    });

    test("read and write all bytes, however few come at a time and whatever interrupts", () => {
      const random = new Random(5);
      const files = new NodeFiles(
        faulty((call, args) => {
          if (random.below(3) === 0) throw systemError(random.pick(["EINTR", "EAGAIN"]));
          if (call === "readSync" || call === "writeSync") {
            const [fd, bytes, at, length, position] = args as [number, Uint8Array, number, number, number];
            return (system as FileSystem)[call](fd, bytes, at, Math.min(length, 1 + random.below(9)), position);
          }
          return undefined;
        }),
      );
      const caller = new FileCaller(files);
      const file = caller.open(join(fresh(), "a.db"));
      const bytes = random.bytes(3000);
      assert.equal(caller.write(file, bytes, 10), 0);
      assert.equal(files.sync(file), 0);
      assert.equal(files.size(file), 3010);
      assert.deepEqual(caller.read(file, 4000, 10), bytes);
      assert.equal(files.close(file), 0);
      const never = new FileCaller(
        new NodeFiles(
          faulty(() => {
            throw systemError("EINTR");
          }),
        ),
      );
      assert.equal(never.open(join(fresh(), "b.db")), FailureCode.host);
    });

    test("have a code for every failure of every call, keep its cause, and never throw", () => {
      const codes: [string, FailureCode][] = [
        ["ENOSPC", FailureCode.full],
        ["EDQUOT", FailureCode.full],
        ["EFBIG", FailureCode.full],
        ["EIO", FailureCode.host],
        ["EBADF", FailureCode.host],
        ["EACCES", FailureCode.denied],
        ["EROFS", FailureCode.denied],
        ["ENAMETOOLONG", FailureCode.name],
      ];
      for (const [code, expected] of codes) {
        let failing: Call | undefined;
        const thrown = systemError(code);
        const files = new NodeFiles(
          faulty((call) => {
            if (call === failing) throw thrown;
            return undefined;
          }),
        );
        const caller = new FileCaller(files);
        const path = join(fresh(), "a.db");
        const file = caller.open(path);
        assert.equal(caller.write(file, new Uint8Array(10), 0), 0);
        const calls: [Call, string, () => number | Uint8Array][] = [
          ["openSync", "open", () => caller.open(`${path}-wal`)],
          ["fstatSync", "open", () => caller.open(path)],
          ["readSync", "read", () => caller.read(file, 10, 0)],
          ["writeSync", "write", () => caller.write(file, new Uint8Array(10), 0)],
          ["ftruncateSync", "truncate", () => files.truncate(file, 5)],
          ["fdatasyncSync", "sync", () => files.sync(file)],
          ["fstatSync", "size", () => files.size(file)],
          ["statSync", "exists", () => caller.exists(path)],
          ["unlinkSync", "remove", () => caller.remove(path)],
          ["closeSync", "close", () => files.close(file)],
        ];
        for (const [call, operation, run] of calls) {
          failing = call;
          assert.equal(run(), expected, `${code} of ${call}`);
          failing = undefined;
          assert.deepEqual(files.takeFailure(), { code: expected, operation, cause: thrown });
          assert.equal(files.takeFailure(), undefined);
        }
        assert.equal(files.size(file), FailureCode.closed, "an id is forgotten also if closing fails");
      }
    });

    test("a write that stops is full", () => {
      const files = new NodeFiles(faulty((call) => (call === "writeSync" ? 0 : undefined)));
      const caller = new FileCaller(files);
      const file = caller.open(join(fresh(), "a.db"));
      assert.equal(caller.write(file, new Uint8Array(10), 0), FailureCode.full);
      assert.equal(files.close(file), 0);
    });

    test("names that no file has are refused", () => {
      const place = fresh();
      const caller = new FileCaller(new NodeFiles());
      assert.equal(caller.open("relative.db"), FailureCode.name);
      assert.equal(caller.open(""), FailureCode.name);
      assert.equal(caller.open(place), FailureCode.name);
      assert.equal(caller.open(new Uint8Array([0x2f, 0xff])), FailureCode.name);
      assert.equal(caller.open(join(place, "a\0b")), FailureCode.name);
      assert.equal(caller.open(join(place, "none", "a.db")), FailureCode.absent);
      assert.equal(caller.open(join(place, "a.db"), false), FailureCode.absent);
      assert.equal(caller.remove(join(place, "a.db")), FailureCode.absent);
      assert.equal(caller.exists(join(place, "a.db")), 0);
      assert.equal(caller.exists(place), 1);
      assert.equal(system.readdirSync(place).length, 0);
    });

    test("a log has the mode of its database, whatever the mask is", () => {
      const path = join(fresh(), "a.db");
      const mask = process.umask(0o027);
      try {
        const caller = new FileCaller(new NodeFiles());
        const file = caller.open(path);
        assert.equal(system.statSync(path).mode & 0o777, 0o640);
        for (const mode of [0o600, 0o664]) {
          system.chmodSync(path, mode);
          assert.equal(caller.files.close(caller.open(`${path}-wal`)), 0);
          assert.equal(system.statSync(`${path}-wal`).mode & 0o777, mode);
          assert.equal(caller.remove(`${path}-wal`), 0);
        }
        assert.equal(caller.files.close(file), 0);
      } finally {
        process.umask(mask);
      }
    });

    test("the name of a new file is on the disk with its first sync, and that of a removed one off it", () => {
      const synced: unknown[] = [];
      const opened = new Map<number, string>();
      const files = new NodeFiles(
        faulty((call, args) => {
          if (call === "openSync") {
            const fd = system.openSync(...(args as [string, number, number]));
            opened.set(fd, args[0] as string);
            return fd;
          }
          if (call === "fsyncSync" || call === "fdatasyncSync") synced.push(opened.get(args[0] as number));
          return undefined;
        }),
      );
      const caller = new FileCaller(files);
      const place = fresh();
      const path = join(place, "a.db");
      const file = caller.open(path);
      assert.equal(files.sync(file), 0);
      assert.equal(files.sync(file), 0);
      assert.deepEqual(synced.splice(0), [path, place, path]);
      assert.equal(files.sync(caller.open(path)), 0);
      assert.deepEqual(synced.splice(0), [path]);
      assert.equal(caller.remove(path, false), 0);
      assert.deepEqual(synced.splice(0), []);
      assert.ok(caller.open(path) > 0);
      assert.equal(caller.remove(path, true), 0);
      assert.deepEqual(synced.splice(0), [place]);
      files.closeAll();
    });

    test("systems that cannot sync a folder are none the worse", () => {
      const path = join(fresh(), "a.db");
      for (const [code, expected] of [
        ["EISDIR", 0],
        ["EPERM", 0],
        ["EIO", FailureCode.host],
      ] as const) {
        const files = new NodeFiles(
          faulty((call) => {
            if (call === "fsyncSync") throw systemError(code);
            return undefined;
          }),
        );
        const caller = new FileCaller(files);
        assert.equal(files.sync(caller.open(path)), expected);
        files.closeAll();
        system.unlinkSync(path);
      }
    });
  });

  suite("a database", () => {
    test("is one process's at a time, under all of its names, until that one dies", async () => {
      const path = join(fresh(), "a.db");
      const link = join(fresh(), "link.db");
      const here = fileURLToPath(import.meta.url);
      const child = startChild(here, "hold", path);
      assert.equal(await child.says((line) => line.startsWith("held")), `held ${path}`);
      system.writeFileSync(path, "");
      system.symlinkSync(path, link);
      for (const name of [path, link, join(path, "..", "a.db")]) {
        assert.throws(() => claimDatabase(name), { code: "locked" });
      }
      await child.kill();
      const claimed = claimDatabase(link);
      assert.equal(claimed.path, path);
      assert.throws(() => claimDatabase(path), { code: "locked" });
      claimed.lock.release();
      claimDatabase(path).lock.release();
      assert.deepEqual(system.readdirSync(join(path, "..")), ["a.db"]);
    });

    test("needs a folder", async () => {
      assert.throws(() => claimDatabase(join(fresh(), "none", "a.db")), { code: "name" });
    });
  });
}
