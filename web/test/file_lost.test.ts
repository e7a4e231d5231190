/** Addresses of files, lock files that are none, and files that change under their writer. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, sep } from "node:path";
import process from "node:process";
import { after, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { Lua, LuaStorageError, setFileStorage } from "../src/index.ts";
import { pathOf } from "../src/storage/file/address.ts";
import { ownError } from "../src/storage/file/errors.ts";
import { fileStorage } from "../src/storage/file/storage.ts";

setFileStorage(fileStorage);

const folder = mkdtempSync(join(tmpdir(), "perilune lost-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.store`);

/** Opens a storage, and returns the code that it was refused with, or "". */
async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error: unknown) => {
      assert.ok(error instanceof LuaStorageError, String(error));
      return error.code;
    },
  );
}

suite("addresses", () => {
  const here = process.cwd();
  test("name paths, decoded", () => {
    for (const [address, path] of [
      ["file:notes.db", "notes.db"],
      ["file:my%20notes.db", "my notes.db"],
      ["file:my notes.db", "my notes.db"],
      ["file:./a/../b", "./a/../b"],
      ["file:100%25.db", "100%.db"],
      ["file:%C3%A9.db", "é.db"],
      ["file:a?b#c", "a?b#c"],
      ["file:/abs/x%20y", "/abs/x y"],
      ["file:C:\\notes\\x.db", "C:\\notes\\x.db"],
      ["file:///abs/x%20y", "/abs/x y"],
      ["file://localhost/abs/x", "/abs/x"],
      ["file:///a%3Fb%23c", "/a?b#c"],
    ] as const) {
      assert.equal(pathOf(address), path, address);
    }
    assert.equal(pathOf(pathToFileURL(here).href), here);
  });

  test("that name none have the code name", async () => {
    for (const address of [
      "file:100%.db",
      "file:a%2Fb",
      "file:a%5cb",
      "file:%ff",
      "file:a%00b",
      "file:",
      "file://",
      "file:///a?b",
      "file:///a#b",
      "file:///a%2fb",
      "file://another.host/a",
      "notes.db",
      "C:\\notes.db",
    ]) {
      assert.equal(await codeOf(Lua.create({ storage: address })), "name", address);
      assert.equal(await codeOf(Lua.create({ storage: address, readOnly: true })), "name", address);
    }
  });

  test("a URL object is as good as text, of whatever realm", async () => {
    const path = freshPath();
    const url = pathToFileURL(path);
    const theirs = runInContext("new URL(address)", createContext({ URL, address: url.href })) as URL;
    for (const [index, storage] of [url, url.href, `file:${path}`, theirs].entries()) {
      const lua = await Lua.create({ storage });
      assert.equal(lua.eval("local t = ext.table('t') t.n = (t.n or 0) + 1 return t.n"), index + 1);
      await lua.close();
    }
    const reader = await Lua.create({ storage: url, readOnly: true });
    assert.equal(reader.table("t").get("n"), 4);
    await reader.close();
    assert.equal(await codeOf(Lua.create({ storage: new URL("https://example.org/x") })), "name");
  });
});

suite("what is no lock file", () => {
  const kinds: Record<string, (path: string) => void> = {
    "a link to nowhere": (path) => symlinkSync(join(folder, "nowhere"), path),
    "a link to a file": (path) => {
      writeFileSync(join(folder, "somewhere"), "text");
      symlinkSync(join(folder, "somewhere"), path);
    },
    "a folder": (path) => mkdirSync(path),
  };
  if (sep === "/") kinds["a pipe"] = (path) => void execFileSync("mkfifo", [path]);

  for (const [kind, make] of Object.entries(kinds)) {
    test(`${kind}: an error at once, however long the time for waiting`, async () => {
      const path = freshPath();
      make(`${path}.lock`);
      for (const lockTimeout of [0, Infinity]) {
        await assert.rejects(Lua.create({ storage: `file:${path}`, lockTimeout }), {
          code: "foreign",
          message: /\.lock is (a link|a folder|no regular file), and no lock of Perilune: remove it/,
        });
      }
      rmSync(`${path}.lock`, { recursive: true });
      await (await Lua.create({ storage: `file:${path}` })).close();
    });
  }

  test("text that is none counts as somebody's lock, until the time is over", async () => {
    const path = freshPath();
    writeFileSync(`${path}.lock`, "something else");
    assert.equal(await codeOf(Lua.create({ storage: `file:${path}`, lockTimeout: 1 })), "locked");
  });
});

suite("a file that changes under its writer", () => {
  const kinds: Record<string, { change: (path: string) => void; code: "reset" | "foreign" }> = {
    removed: { code: "reset", change: (path) => rmSync(path) },
    "renamed away": { code: "reset", change: (path) => renameSync(path, `${path}.away`) },
    "cut off at the end": { code: "reset", change: (path) => truncateSync(path, readFileSync(path).length - 1) },
    "made empty": { code: "reset", change: (path) => truncateSync(path, 0) },
    "replaced by another file": {
      code: "foreign",
      change(path) {
        writeFileSync(`${path}.other`, "x".repeat(100_000));
        renameSync(`${path}.other`, path);
      },
    },
    "replaced by a copy of itself": {
      code: "foreign",
      change(path) {
        copyFileSync(path, `${path}.other`);
        renameSync(`${path}.other`, path);
      },
    },
    "overwritten in place": { code: "foreign", change: (path) => writeFileSync(path, "x".repeat(100_000)) },
  };

  for (const [kind, { change, code }] of Object.entries(kinds)) {
    for (const durability of ["relaxed", "strict"] as const) {
      for (const pending of [true, false]) {
        test(`${kind}, ${durability}, ${pending ? "with" : "without"} something to write: flush says so, nothing is lost`, async () => {
          const path = freshPath();
          const lua = await Lua.create({ storage: `file:${path}`, durability });
          const errors: string[] = [];
          lua.on("storage-error", (error) => errors.push(error.code));
          lua.table("t").set("before", 1);
          await lua.flush();
          change(path);
          if (pending) lua.table("t").set("after", 2);
          await assert.rejects(lua.flush(), { code });
          assert.deepEqual(errors.slice(0, 1), [code]);
          lua.table("u").set("later", 3);
          if (code === "foreign") {
            const theirs = readFileSync(path);
            await assert.rejects(lua.flush(), { code });
            await assert.rejects(lua.close(), { code });
            assert.deepEqual(readFileSync(path), theirs, "it is left as it is");
            renameSync(path, `${path}.theirs`);
            assert.equal(await codeOf(lua.flush()), "reset");
          }
          await lua.flush();
          await lua.close();
          assert.deepEqual(
            readdirSync(folder).filter((name) => name.startsWith(basename(path)) && name.includes(".lock")),
            [],
          );
          const again = await Lua.create({ storage: `file:${path}` });
          assert.deepEqual(
            [...again.table("t")],
            pending
              ? [
                  ["before", 1],
                  ["after", 2],
                ]
              : [["before", 1]],
          );
          assert.deepEqual([...again.table("u")], [["later", 3]]);
          await again.close();
        });
      }
    }
  }

  test("given up: what others have put there stays", async () => {
    const path = freshPath();
    const lua = await Lua.create({ storage: `file:${path}` });
    lua.table("t").set("x", 1);
    await lua.flush();
    rmSync(path);
    writeFileSync(path, "theirs");
    await lua.close({ discard: true });
    assert.equal(readFileSync(path, "utf8"), "theirs");
    assert.equal(existsSync(`${path}.lock`), false);
  });
});

test("errors of the system have codes", () => {
  for (const [code, expected] of [
    ["EACCES", "unavailable"],
    ["EPERM", "unavailable"],
    ["EROFS", "unavailable"],
    ["EISDIR", "name"],
    ["ENOTDIR", "name"],
    ["ENAMETOOLONG", "name"],
    ["ENOSPC", "quota"],
    ["EDQUOT", "quota"],
    ["EFBIG", "quota"],
    ["EIO", "host"],
  ] as const) {
    const original = Object.assign(new Error("told to fail"), { code });
    const error = ownError(original, "/x") as Error & { code: string };
    assert.deepEqual([error.code, error.cause], [expected, original]);
  }
});

test("what is no file has the code name", async () => {
  assert.equal(await codeOf(Lua.create({ storage: `file:${folder}` })), "name");
  assert.equal(await codeOf(Lua.create({ storage: `file:${join(folder, "none", "x")}` })), "name");
  assert.equal(await codeOf(Lua.create({ storage: `file:${join(folder, "x".repeat(300))}` })), "name");
});

suite("a storage object", () => {
  const memory = () => {
    const saved = new Map<string, Uint8Array>();
    return {
      async load(visit: (key: string, bytes: Uint8Array) => void) {
        for (const [key, value] of saved) visit(key, value);
      },
      async commit(changes: Iterable<readonly [string, Uint8Array | null]>) {
        for (const [key, value] of changes) {
          if (value === null) saved.delete(key);
          else saved.set(key, value);
        }
      },
      close() {},
    };
  };

  test("has one VM at a time", async () => {
    const storage = memory();
    const first = await Lua.create({ storage });
    first.table("mine").set("x", 1);
    assert.equal(await codeOf(Lua.create({ storage, lockTimeout: 0 })), "locked");
    const second = Lua.create({ storage, lockTimeout: Infinity });
    await first.close();
    const lua = await second;
    assert.deepEqual(lua.tables(), ["mine"]);
    await lua.close();
  });

  test("is free again when opening it has failed", async () => {
    const storage = memory();
    const { load } = storage;
    storage.load = () => Promise.reject(new Error("no"));
    assert.equal(await codeOf(Lua.create({ storage })), "host");
    storage.load = load;
    await (await Lua.create({ storage, lockTimeout: 0 })).close();
  });

  test("that gives records of the wrong type is damaged", async () => {
    for (const [key, value] of [
      [5, Uint8Array.of(1)],
      [undefined, Uint8Array.of(1)],
      ["t1", "text"],
      ["t1", undefined],
      ["t1", [1, 2]],
      ["p1:0", new ArrayBuffer(8)],
      ["p1:0", new Int8Array(8)],
    ] as const) {
      const storage = {
        ...memory(),
        load: async (visit: (...record: never[]) => void) => visit(key as never, value as never),
      };
      assert.equal(
        await codeOf(Lua.create({ storage: storage as never })),
        "corrupt",
        `${String(key)}: ${String(value)}`,
      );
    }
  });
});
