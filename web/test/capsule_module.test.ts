/**
 * The module of the capsule over files: databases that are written, read by another instance, left behind by
 * processes that die and by disks without room, and the limits of its stack.
 */
import assert from "node:assert/strict";
import * as system from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { after, suite, test } from "node:test";
import type { Files } from "../src/capsule/files.ts";
import { NodeFiles, type FileSystem } from "../src/capsule/files_node.ts";
import { OpfsFiles } from "../src/capsule/files_opfs.ts";
import { plainName } from "../src/instance/imports.ts";
import { CapsuleFailure, capsuleModule, rawCapsule, type RawCapsule } from "./capsule_raw.ts";
import { part, partArguments, startChild } from "./child.ts";
import { FakeFolder } from "./fake_opfs.ts";
import { Random } from "./random.ts";

const KILLS = 12;

/** Makes the table of the tests: each transaction adds a pair of rows, and what belongs to them. */
function makePairs(capsule: RawCapsule): void {
  capsule.eval(`
    glyphcase.execute("CREATE TABLE IF NOT EXISTS pairs(n INTEGER, half TEXT, filler TEXT, PRIMARY KEY(n, half))")
    glyphcase.execute("CREATE INDEX IF NOT EXISTS by_filler ON pairs(filler)")`);
}

const insertPair = (n: number, bytes = 300): string => `glyphcase.transaction(function()
    for _, half in ipairs { "a", "b" } do
      glyphcase.insert("pairs", { n = ${n}, half = half, filler = string.rep("x", ${bytes}) .. half })
    end
  end)`;

/** Checks a database of pairs; returns the number of the last one. */
function checkPairs(capsule: RawCapsule): number {
  assert.deepEqual(capsule.query("PRAGMA integrity_check"), [["ok"]]);
  const [row] = capsule.query(
    "SELECT count(*), coalesce(max(n), 0), (SELECT count(*) FROM (SELECT n FROM pairs GROUP BY n HAVING count(*) <> 2)) FROM pairs",
  ) as [[number, number, number]];
  const [count, last, broken] = row;
  assert.equal(broken, 0, "a part of a transaction is there");
  assert.equal(count, 2 * last, "a transaction is missing");
  return last;
}

if (part === "write") {
  const capsule = await rawCapsule(new NodeFiles());
  capsule.open(partArguments[0] as string);
  makePairs(capsule);
  const done = checkPairs(capsule);
  for (let n = done + 1; ; n++) {
    capsule.eval(insertPair(n, 10 + (n % 7) * 900));
    // At once: what is said is committed.
    system.writeSync(1, `${n}\n`);
  }
} else if (part === undefined) {
  tests();
}

function tests(): void {
  const folder = system.realpathSync(system.mkdtempSync(join(tmpdir(), "perilune-capsule-")));
  after(() => system.rmSync(folder, { recursive: true }));
  let databases = 0;
  const freshPath = () => join(folder, `${databases++}.db`);

  /** An instance with a database open. */
  async function opened(path: string, files: Files = new NodeFiles(), strict = false): Promise<RawCapsule> {
    const capsule = await rawCapsule(files);
    capsule.open(path, strict);
    return capsule;
  }

  suite("the module of the capsule", () => {
    test("asks for numbers only, and for what docs/codec.md lists", () => {
      const text = system.readFileSync(resolve("../docs/codec.md"), "utf8");
      const listed = new Set([...text.matchAll(/^\| `(\w+)\(/gm)].map(([, name]) => name));
      const imports = WebAssembly.Module.imports(capsuleModule).filter(({ kind }) => kind === "function");
      const names = imports.map(({ name }) => plainName(name));
      for (const name of names) assert.ok(listed.has(name) || name === "__wbindgen_throw", name);
      for (const name of ["file_open", "file_delete", "capsule_clock_ms", "capsule_random_u32", "capsule_notify"]) {
        assert.ok(names.includes(name), name);
      }
      // The compiler of hot functions, with the table, is not in it.
      const exportsOf = (module: WebAssembly.Module): string[] =>
        WebAssembly.Module.exports(module)
          .map(({ name }) => name)
          .filter((name) => !/^(perilune_)?jit_|^__wbindgen_export$/.test(name))
          .sort();
      const perilune = new WebAssembly.Module(system.readFileSync(resolve("../target/wasm/perilune.wasm")));
      assert.deepEqual(exportsOf(capsuleModule), exportsOf(perilune));
    });

    test("has the SQLite that native builds have", async () => {
      const capsule = await opened(":memory:");
      const found = ["SELECT sqlite_version()", "SELECT sqlite_source_id()", "PRAGMA compile_options"]
        .flatMap((sql) => capsule.query(sql).map((row) => String((row as unknown[])[0])))
        .filter((option) => !/^(COMPILER|ATOMIC_INTRINSICS)=/.test(option));
      const lines = system.readFileSync(resolve("../tests/vectors/sqlite.txt"), "utf8").split("\n");
      const expected = lines.flatMap((line) => /^(?:all|wasm32) (.*)$/.exec(line)?.[1] ?? []);
      assert.deepEqual(found.sort(), expected.sort());
    });

    test("has the clock, the time zone and the randomness of its host", async () => {
      const now = Date.UTC(2024, 1, 29, 23, 59, 58, 250);
      const capsule = await rawCapsule(new NodeFiles(), { now: () => now });
      capsule.open(":memory:");
      assert.deepEqual(capsule.query("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')"), [["2024-02-29 23:59:58.250"]]);
      for (const seconds of [0, 951_782_400, 1_709_251_199, 1_735_689_599, 1_735_689_600, 2_145_916_800]) {
        const local = new Date(seconds * 1000);
        const two = (n: number) => String(n).padStart(2, "0");
        const date = `${local.getFullYear()}-${two(local.getMonth() + 1)}-${two(local.getDate())}`;
        const time = `${two(local.getHours())}:${two(local.getMinutes())}:${two(local.getSeconds())}`;
        const sql = `SELECT strftime('%Y-%m-%d %H:%M:%S', ${seconds}, 'unixepoch', 'localtime')`;
        assert.deepEqual(capsule.query(sql), [[`${date} ${time}`]]);
      }
      const numbers = new Set(
        capsule.eval("local t = {} for i = 1, 200 do t[i] = crypto.uuid() end return table.unpack(t)"),
      );
      const other = await opened(":memory:");
      for (const id of other.eval("local t = {} for i = 1, 200 do t[i] = crypto.uuid() end return table.unpack(t)")) {
        numbers.add(id);
      }
      assert.equal(numbers.size, 400);
      assert.notDeepEqual(capsule.query("SELECT random()"), other.query("SELECT random()"));
    });

    test("tells its host that messages wait", async () => {
      const counts: number[] = [];
      const capsule = await rawCapsule(new NodeFiles(), { notify: (count) => counts.push(count) });
      capsule.open(":memory:");
      capsule.query("CREATE TABLE t(v)");
      assert.deepEqual(counts, [1]);
      capsule.query("INSERT INTO t VALUES(1)");
      assert.deepEqual(counts, [1, 2]);
    });

    test("has numbers as JavaScript reads them", async () => {
      const capsule = await opened(":memory:");
      const random = new Random(11);
      for (let i = 0; i < 2000; i++) {
        const bits = new DataView(random.bytes(8).slice().buffer);
        const number = bits.getFloat64(0, true);
        if (!Number.isFinite(number)) continue;
        const digits = number.toExponential(16);
        assert.deepEqual(capsule.query(`SELECT ${digits}, CAST('${digits}' AS REAL)`), [[number, number]], digits);
      }
    });
  });

  suite("a database", () => {
    test("is there for the next instance, and in one file when it was closed", async () => {
      const path = freshPath();
      const first = await opened(path);
      assert.deepEqual(first.query("PRAGMA journal_mode"), [["wal"]]);
      makePairs(first);
      for (let n = 1; n <= 50; n++) first.eval(insertPair(n));
      first.eval(`
        glyphcase.execute("CREATE VIRTUAL TABLE notes USING fts5(body)")
        glyphcase.insert("notes", { body = "the quick brown fox" })
        glyphcase.execute("CREATE TABLE bytes(b BLOB)")
        glyphcase.execute("INSERT INTO bytes VALUES(x'00ff80'), (zeroblob(100000))")`);
      first.close();
      assert.deepEqual(
        system.readdirSync(folder).filter((name) => join(folder, name).startsWith(path)),
        [path.slice(folder.length + 1)],
      );
      const second = await opened(path);
      assert.equal(checkPairs(second), 50);
      assert.deepEqual(second.query("SELECT body FROM notes WHERE notes MATCH 'quick'"), [["the quick brown fox"]]);
      assert.deepEqual(second.query("SELECT length(b), hex(substr(b, 1, 3)) FROM bytes"), [
        [3, "00FF80"],
        [100_000, "000000"],
      ]);
      second.close();
      const { DatabaseSync } = await nodeSqlite();
      if (DatabaseSync === undefined) return;
      const other = new DatabaseSync(path);
      assert.deepEqual({ ...other.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
      assert.equal(other.prepare("SELECT count(*) AS n FROM pairs").get().n, 100);
      other.close();
    });

    test("is open once in an instance", async () => {
      const path = freshPath();
      const capsule = await opened(path);
      assert.throws(() => capsule.open(path), /usage: the capsule is open already/);
    });

    test("is refused where there can be none, with the reason", async () => {
      const capsule = await rawCapsule(new NodeFiles());
      for (const path of [join(folder, "none", "a.db"), folder, "relative.db"]) {
        assert.throws(() => capsule.open(path), /unsupported: .*SQLITE_CANTOPEN/, path);
      }
      const path = freshPath();
      system.writeFileSync(path, "This is no database, whatever the name says. ".repeat(500));
      assert.throws(() => capsule.open(path), /corrupt: /);
    });

    test("holds every commit of an instance that is gone, whole, wherever its log ends", async () => {
      const path = freshPath();
      const writer = await opened(path);
      makePairs(writer);
      const lengths: number[] = [];
      for (let n = 1; n <= 6; n++) {
        writer.eval(insertPair(n, 2000));
        lengths.push(system.statSync(`${path}-wal`).size);
      }
      const [database, log] = [system.readFileSync(path), system.readFileSync(`${path}-wal`)];
      const random = new Random(3);
      const cuts = [0, log.length, ...lengths.flatMap((length) => [length - 1, length, length + 1])];
      for (let i = 0; i < 20; i++) cuts.push(random.below(log.length));
      for (const cut of cuts) {
        const copy = freshPath();
        system.writeFileSync(copy, database);
        system.writeFileSync(`${copy}-wal`, log.subarray(0, cut));
        const reader = await opened(copy);
        const tables = reader.query("SELECT count(*) FROM sqlite_schema WHERE name = 'pairs'") as [[number]];
        const last = tables[0][0] === 0 ? 0 : checkPairs(reader);
        assert.equal(last, lengths.filter((length) => length <= cut).length, `cut at ${cut} of ${lengths.join(", ")}`);
        reader.close();
      }
    });

    test("holds what was said to be committed when its process is killed", async () => {
      const path = freshPath();
      const random = new Random(7);
      let before = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const child = startChild(fileURLToPath(import.meta.url), "write", path);
        const enough = before + 1 + random.below(25);
        await child.says((line) => Number(line) >= enough);
        await child.kill();
        const said = Number(child.lines.at(-1));
        const reader = await opened(path);
        const found = checkPairs(reader);
        assert.ok(found >= said, `${said} was committed, ${found} is there`);
        before = found;
        // Every other time the next writer finds the log as it was left.
        if (kill % 2 === 0) reader.close();
      }
    });

    test("fails at any call of the system with an error, and is whole afterwards", async () => {
      type Call = keyof FileSystem;
      const calls: Call[] = ["openSync", "writeSync", "ftruncateSync", "fdatasyncSync", "readSync", "unlinkSync"];
      const random = new Random(9);
      let failures = 0;
      for (let round = 0; round < 60; round++) {
        const path = freshPath();
        const call = random.pick(calls);
        const code = random.pick(["EIO", "ENOSPC"]);
        let left = 1 + random.below(call === "writeSync" ? 60 : 12);
        const faulty = new Proxy(system as FileSystem, {
          get: (target, name: Call) =>
            function (...args: unknown[]) {
              if (name === call && --left <= 0) throw Object.assign(new Error(code), { code });
              return (target[name] as (...args: unknown[]) => unknown)(...args);
            },
        });
        let committed = 0;
        const files = new NodeFiles(faulty);
        const capsule = await rawCapsule(files);
        try {
          capsule.open(path, true);
          makePairs(capsule);
          for (let n = 1; n <= 12; n++) {
            capsule.eval(insertPair(n, 1000));
            committed = n;
          }
          capsule.close();
        } catch (error) {
          failures++;
          assert.ok(error instanceof CapsuleFailure, String(error));
          if (code === "ENOSPC" && call === "writeSync") assert.match(error.message, /full/i);
        }
        files.closeAll();
        const reader = await opened(path);
        const tables = reader.query("SELECT count(*) FROM sqlite_schema WHERE name = 'pairs'") as [[number]];
        const found = tables[0][0] === 0 ? 0 : checkPairs(reader);
        assert.ok(found >= committed, `${call} ${code}: ${committed} were committed, ${found} are there`);
        reader.close();
      }
      assert.ok(failures > 20, `only ${failures} failures`);
    });

    test("in a pool of handles is full at the quota, and deleting makes room", async () => {
      const place = new FakeFolder();
      const files = await OpfsFiles.open(place);
      place.quota = place.usage + 3_000_000;
      const capsule = await opened("app.db", files);
      makePairs(capsule);
      let n = 0;
      assert.throws(
        () => {
          for (;;) {
            capsule.eval(insertPair(n + 1, 20_000));
            n++;
          }
        },
        (error) => error instanceof CapsuleFailure && /full/i.test(error.message),
      );
      assert.ok(n > 5, `${n} pairs`);
      assert.equal(files.hasReserve, false);
      assert.equal(checkPairs(capsule), n);
      capsule.eval(`glyphcase.execute("DELETE FROM pairs WHERE n > 3")`);
      capsule.query("PRAGMA wal_checkpoint(TRUNCATE)");
      capsule.eval(insertPair(4, 20_000));
      assert.equal(checkPairs(capsule), 4);
      // Its worker dies, and the next one goes on.
      place.die();
      const again = await OpfsFiles.open(place);
      const next = await opened("app.db", again);
      assert.equal(checkPairs(next), 4);
      next.close();
      assert.deepEqual(again.names, ["app.db"]);
    });

    test("in a pool of handles survives its worker, whatever it was doing", async () => {
      const random = new Random(13);
      const place = new FakeFolder();
      let before = 0;
      for (let life = 0; life < 40; life++) {
        const files = await OpfsFiles.open(place, { reserveBytes: 0 });
        const capsule = await rawCapsule(files);
        place.lifetime = 5 + random.below(150);
        let committed = before;
        try {
          capsule.open("app.db", life % 2 === 0);
          makePairs(capsule);
          committed = Math.max(committed, checkPairs(capsule));
          for (;;) {
            capsule.eval(insertPair(committed + 1, 500));
            committed++;
          }
        } catch (error) {
          assert.ok(error instanceof CapsuleFailure, String(error));
        }
        place.die();
        const reader = await OpfsFiles.open(place, { reserveBytes: 0 });
        const checker = await opened("app.db", reader);
        makePairs(checker);
        before = checkPairs(checker);
        assert.ok(before >= committed, `life ${life}: ${committed} were committed, ${before} are there`);
        reader.dispose();
        place.die();
      }
      assert.ok(before > 20, `${before} pairs`);
    });
  });

  suite("what calls itself ends with an error on the stack of the module", () => {
    /** Runs SQL at every depth of hooks that insert, until there is no deeper one. */
    const dive = (sql: string): string => `
      glyphcase.execute("CREATE TABLE deep(n)")
      local depth, failed = 0, 0
      function before_insert(_, row)
        depth = depth + 1
        if not pcall(glyphcase.query, ${JSON.stringify(sql)}) then failed = failed + 1 end
        glyphcase.insert("deep", { n = depth })
      end
      local ok, e = pcall(glyphcase.insert, "deep", { n = 0 })
      return ok, tostring(e), depth, failed`;

    const nested: [string, string][] = [
      ["sums", `SELECT 1${"+1".repeat(990)}`],
      ["parentheses", `SELECT ${"(".repeat(1000)}1${")".repeat(1000)}`],
      ["subqueries", `${"SELECT * FROM (".repeat(300)}SELECT 1${")".repeat(300)}`],
      ["compounds", `SELECT 1${" UNION SELECT 2".repeat(400)}`],
      ["patterns", "SELECT hex(zeroblob(4000)) LIKE replace(hex(zeroblob(2047)), '00', '%0')||'b'"],
      ["globs", "SELECT hex(zeroblob(4000)) GLOB replace(hex(zeroblob(2047)), '00', '*0')||'b'"],
      ["JSON", `SELECT length(json('${"[".repeat(1000)}1${"]".repeat(1000)}'))`],
    ];
    for (const [what, sql] of nested) {
      test(`Lua in SQL in Lua, with ${what} at the bottom`, async () => {
        const capsule = await opened(":memory:");
        const [ok, message, depth, failed] = capsule.eval(dive(sql)) as [boolean, string, number, number];
        assert.equal(ok, false);
        assert.match(message, /stack overflow/);
        assert.ok(depth > 50 && failed <= 1, `${depth} deep, ${failed} failed`);
        assert.deepEqual(capsule.query("SELECT count(*) FROM deep"), [[0]]);
      });
    }

    test("transactions, actions and longer patterns", async () => {
      const capsule = await opened(":memory:");
      for (const source of [
        "local function dive() glyphcase.transaction(dive) end dive()",
        "actionbus.register('x', function() actionbus.dispatch('x', {}) end) actionbus.dispatch('x', {})",
        "glyphcase.query(\"SELECT 'a' LIKE replace(hex(zeroblob(9000)), '00', '%a')\")",
      ]) {
        assert.throws(() => capsule.eval(source), CapsuleFailure, source);
        assert.deepEqual(capsule.query("SELECT 1"), [[1]]);
      }
      assert.equal(capsule.exports.stack_len(), 1024 * 1024);
    });

    test("a lack of memory for SQLite is an error, too", async () => {
      const capsule = await rawCapsule(new NodeFiles(), { memoryBytes: 16 * 1024 * 1024 });
      capsule.open(":memory:");
      capsule.eval(`glyphcase.execute("CREATE TABLE big(b)")`);
      let rows = 0;
      assert.throws(() => {
        for (; ; rows++) capsule.eval(`glyphcase.execute("INSERT INTO big VALUES(zeroblob(500000))")`);
      }, /out of memory/);
      assert.ok(rows > 1);
      assert.deepEqual(capsule.query("SELECT count(*) FROM big"), [[rows]]);
      assert.deepEqual(capsule.query("PRAGMA integrity_check"), [["ok"]]);
    });
  });
}

/** SQLite of the platform, where it has one: an opinion that is not ours. */
async function nodeSqlite(): Promise<{ DatabaseSync?: new (path: string) => any }> {
  const name = "node:sqlite";
  return import(name).catch(() => ({}));
}
