/**
 * A VM that is kept in the storage of its tables: what it knows and what they say are of one moment, in every
 * commit, whatever fails; it goes on from there, and begins anew when (and only when) there is nothing to go
 * on with.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { after, suite, test } from "node:test";
import { decodeParticipantRecord, encodeParticipantRecord } from "#js/storage/records.js";
import { fileStorage } from "../src/storage/file/storage.ts";
import { Lua, LuaClosedError, LuaImageError, setFileStorage, type LuaOptions, type LuaPrevious } from "../src/index.ts";
import { part, partArguments, startChild } from "./child.ts";
import { Random } from "./helpers.ts";
import { RecordBackend } from "./record_backend.ts";
import { PROGRAM } from "./resume_program.ts";
import { HANG_MS, ManualClock, pause, settled, until } from "./time.ts";

setFileStorage(fileStorage);

const SEQUENCES = Number(process.env["PERILUNE_SEQUENCES"] ?? 20);
const STEPS = 40;
const KILLS = 15;
const PAGE_BYTES = 16 * 1024;

const SMALL = `
  n = (n or 0) + 1
  ext.table("t").n = n`;

const wasm = readFileSync(resolve("../target/wasm/perilune.wasm"));

/** The module as another build: the last 16 bytes say which. */
function build(number: number): WebAssembly.Module {
  const bytes = Uint8Array.from(wasm);
  bytes[bytes.length - 1]! ^= number;
  return new WebAssembly.Module(bytes);
}

function never(): never {
  throw new Error("it began anew");
}

/** VMs to close after the tests: one that a failed test has left open would keep the process alive. */
const opened: Lua[] = [];

/** Goes on with what is there, and nothing else. */
async function openResumed(storage: LuaOptions["storage"], options: LuaOptions = {}): Promise<Lua> {
  const lua = await begin(storage, { boot: never, ...options });
  assert.ok(lua.restored);
  return lua;
}

async function begin(storage: LuaOptions["storage"], options: LuaOptions = {}): Promise<Lua> {
  const lua = await Lua.create({ storage, resume: true, boot: PROGRAM, ...options });
  opened.push(lua);
  // Whoever wants to know asks; nothing is said of the others.
  for (const { result } of lua.restored?.tasks ?? []) result.catch(() => {});
  return lua;
}

/** Begins with `SMALL`, and commits it. */
async function committed(options: LuaOptions = {}): Promise<RecordBackend> {
  const backend = new RecordBackend();
  const lua = await begin(backend, { boot: SMALL, ...options });
  await lua.close();
  return backend;
}

/** Keeps what is committed after each commit. */
function history(backend: RecordBackend): RecordBackend[] {
  const all: RecordBackend[] = [];
  backend.committed = () => all.push(backend.survivor());
  return all;
}

const vmKeys = (backend: RecordBackend) => [...backend.records.keys()].filter((key) => key.startsWith("xvm:")).sort();

const tableOf = async (backend: RecordBackend) => {
  const lua = await Lua.create({ storage: backend.survivor() });
  const entries = Object.fromEntries([...lua.table("t")]);
  await lua.close();
  return entries;
};

/** Content of a record of the VM. */
function content(backend: RecordBackend, name: string): Uint8Array {
  const bytes = decodeParticipantRecord(`xvm:${name}`, backend.records.get(`xvm:${name}`) as Uint8Array);
  assert.ok(bytes);
  return bytes;
}

function replace(backend: RecordBackend, name: string, bytes: Uint8Array): void {
  const [key, record] = encodeParticipantRecord("vm", name, bytes);
  backend.records.set(key, record);
}

/** A module with a function that does nothing but trap. */
const TRAP = Uint8Array.from(
  [
    [0, 97, 115, 109, 1, 0, 0, 0],
    [1, 4, 1, 96, 0, 0],
    [3, 2, 1, 0],
    [7, 5, 1, 1, 102, 0, 0],
    [10, 5, 1, 3, 0, 0, 11],
  ].flat(),
);

/** Makes VMs that die of `os.time()`, in the middle of whatever they do, as soon as `die` is called. */
function mortal(t: { mock: { method(object: object, name: string, method: unknown): unknown } }): { die(): void } {
  const { instantiate } = WebAssembly;
  const trap = new WebAssembly.Instance(new WebAssembly.Module(TRAP)).exports["f"] as () => number;
  let dying = false;
  t.mock.method(console, "error", () => {});
  t.mock.method(WebAssembly, "instantiate", (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
    for (const from of Object.values(imports)) {
      const name = Object.keys(from).find((name) => name.includes("clock_ms"));
      if (name === undefined) continue;
      const clock = from[name] as () => number;
      from[name] = () => (dying ? trap() : clock());
    }
    return instantiate(module, imports);
  });
  return { die: () => void (dying = true) };
}

if (part === "count") {
  const [path = ""] = partArguments;
  const lua = await begin(`file:${path}`, {
    lockTimeout: 5000,
    boot: (lua) => {
      lua.eval(PROGRAM);
      void lua.evalAsync("ticking('tick', 1)");
    },
    functions: { note() {} },
  });
  const said = (what: string) => writeSync(1, `${what}\n`);
  const wrong = lua.eval("return disagreement()");
  if (wrong !== undefined) said(`wrong ${wrong}`);
  said(`opened ${lua.call("reached")} ${lua.restored?.tasks.length ?? "anew"}`);
  for (let i = 1; ; i++) {
    for (let j = 0; j < 20; j++) lua.eval(i % 7 === 0 ? "fill()" : "step()");
    if (i % 5 === 0) {
      const reached = lua.call("reached");
      await lua.flush();
      said(`flushed ${reached}`);
    } else {
      await pause(i % 3);
    }
  }
} else {
  tests();
}

function tests(): void {
  const folder = mkdtempSync(join(tmpdir(), "perilune-resume-"));
  after(async () => {
    for (const lua of opened) await lua.close({ discard: true });
    rmSync(folder, { recursive: true });
  });
  let files = 0;
  const newFile = () => `file:${join(folder, `f${++files}`)}`;

  suite("a VM in storage", () => {
    for (const where of ["an object", "a file"]) {
      test(`goes on after it was closed, in ${where}`, async () => {
        const storage = where === "a file" ? newFile() : new RecordBackend();
        const lua = await begin(storage);
        assert.equal(lua.restored, undefined);
        assert.equal(lua.previousImage, undefined);
        assert.equal(lua.call("step"), 1);
        lua.globals.set("given", { a: [1, 2] });
        await lua.close();
        for (let round = 2; round < 6; round++) {
          const next = await openResumed(storage);
          assert.deepEqual(next.restored, { missing: [], tasks: [] });
          assert.equal(next.call("step"), round);
          assert.equal(next.table("t").get("n"), round);
          assert.deepEqual(next.globals.get("given"), { a: [1, 2] });
          await next.close();
        }
      });
    }

    test("is there as soon as it has begun, and after every flush, without being closed", async () => {
      const backend = new RecordBackend();
      const lua = await begin(backend);
      await lua.flush();
      const first = await openResumed(backend.survivor());
      assert.equal(first.call("reached"), 0);
      lua.call("step");
      await lua.flush();
      const second = await openResumed(backend.survivor());
      assert.deepEqual([second.call("reached"), second.table("t").get("n")], [1, 1]);
      for (const each of [lua, first, second]) await each.close();
    });

    test("has no part in a dump, nor for who reads along; who opens it without `resume` leaves it alone", async () => {
      const storage = newFile();
      const lua = await begin(storage);
      lua.call("step");
      await lua.flush();
      const reader = await Lua.create({ storage, readOnly: true });
      assert.deepEqual([...reader.table("t")], [["n", 1]]);
      assert.equal(reader.eval("return step"), undefined);
      assert.equal(reader.restored, undefined);
      const seen = new Promise<unknown>((resolve) => reader.table("t").on("change", ({ changes }) => resolve(changes)));
      lua.call("step");
      await lua.flush();
      await seen;
      assert.deepEqual(reader.tables(), ["t"]);
      assert.deepEqual([...reader.table("t")], [["n", 2]]);
      await reader.close();
      const other = await Lua.create();
      other.load(lua.dump());
      assert.deepEqual(other.tables(), ["t"]);
      assert.equal(other.eval("return step"), undefined);
      assert.ok(lua.dump().length < 1000);
      await lua.close();
      const without = await Lua.create({ storage });
      assert.equal(without.eval("return step"), undefined);
      assert.equal(without.restored, undefined);
      without.table("t").set("beside", true);
      await without.close();
      const again = await openResumed(storage);
      assert.deepEqual([again.call("step"), again.table("t").get("beside")], [3, true]);
      await again.close();
    });

    test("is refused where it cannot be kept", async () => {
      const backend = new RecordBackend();
      await assert.rejects(Lua.create({ resume: true }), /"resume" needs a storage/);
      await assert.rejects(Lua.create({ resume: true, storage: "memory://" }), /"resume" needs a storage/);
      await assert.rejects(
        Lua.create({ resume: true, storage: newFile(), readOnly: true }),
        /"resume" needs a storage/,
      );
      await assert.rejects(Lua.create({ resume: 1 as never, storage: backend }), /must be true or false/);
      await assert.rejects(Lua.create({ resume: true, storage: backend, boot: 1 as never }), /"boot" must be/);
      const lua = await Lua.create();
      await assert.rejects(Lua.restore(lua.snapshot(), { resume: true } as never), TypeError);
      await assert.rejects(Lua.restore(lua.snapshot(), { boot: "" } as never), TypeError);
      await assert.rejects(lua.fork({ resume: true } as never), TypeError);
      const plain = new WebAssembly.Module(wasm.subarray(0, wasm.length - 33));
      assert.equal(WebAssembly.Module.customSections(plain, "perilune.build").length, 0);
      await assert.rejects(begin(backend, { wasm: plain }), { code: "build" });
      assert.deepEqual([backend.commits, backend.closed], [0, 1]);
    });

    test("has one writer", async () => {
      const storage = newFile();
      const lua = await begin(storage);
      await assert.rejects(begin(storage, { lockTimeout: 0 }), { code: "locked" });
      lua.call("step");
      await lua.close();
      await (await openResumed(storage)).close();
    });

    test("forked and photographed is another one, of which its storage knows nothing", async () => {
      const backend = await committed();
      const lua = await openResumed(backend);
      const commits = backend.commits;
      await lua.flush();
      const fork = await lua.fork();
      fork.eval("n = 100 ext.table('t').n = 100 ext.table('fork').x = 1");
      const image = lua.snapshot();
      assert.deepEqual(lua.evalAll("return n, ext.table('t').n"), [1, 1]);
      await fork.flush();
      await fork.close();
      assert.ok(backend.commits <= commits + 1);
      const alone = await Lua.restore(image);
      assert.deepEqual(alone.evalAll("return n, ext.table('t').n"), [1, undefined]);
      const whole = await Lua.restore(lua.snapshot({ tables: true }));
      assert.deepEqual(whole.evalAll("return n, ext.table('t').n"), [1, 1]);
      lua.eval(SMALL);
      await lua.close();
      const next = await openResumed(backend);
      assert.deepEqual(next.evalAll("return n, ext.table('t').n, #ext.tables()"), [2, 2, 1]);
      await next.close();
    });

    test("knows of its tables what it knew before, also when JavaScript alone has dropped them", async () => {
      const other = await Lua.create();
      other.table("c").set("x", 1);
      const dump = other.dump();
      await other.close();
      const backend = new RecordBackend();
      const lua = await begin(backend, { boot: "a = ext.table('a') a.x = 1 function try() return pcall(next, a) end" });
      await lua.flush();
      lua.on("storage-error", () => {});
      backend.fails = (commit) => commit === failing;
      const failing = backend.commits + 1;
      // Nothing runs in the VM.
      lua.load(dump);
      await assert.rejects(lua.flush(), { code: "quota" });
      await lua.flush();
      const next = await openResumed(backend.survivor());
      assert.deepEqual(next.tables(), ["c"]);
      assert.deepEqual(next.callAll("try"), lua.callAll("try"));
      assert.equal(next.callAll("try")[0], false);
      await next.close();
      await lua.close();
    });
  });

  suite("boot", () => {
    test("runs the first time, and not when there is something to go on with", async () => {
      const backend = new RecordBackend();
      const calls: unknown[] = [];
      const boot = (lua: Lua, previous: unknown) => void calls.push([lua.restored, previous]);
      for (let round = 0; round < 3; round++)
        await (await Lua.create({ storage: backend, resume: true, boot })).close();
      assert.deepEqual(calls, [[undefined, undefined]]);
    });

    test("is Lua that may wait, or a function that may", async () => {
      for (const boot of [
        "async.sleep(5) x = ...  booted = true",
        async (lua: Lua) => {
          await settled(3);
          lua.eval("booted = true");
        },
      ]) {
        const backend = new RecordBackend();
        const lua = await begin(backend, { boot });
        assert.equal(lua.eval("return booted"), true);
        await lua.close();
        const next = await openResumed(backend);
        assert.equal(next.eval("return booted"), true);
        await next.close();
      }
      // Without `resume`, too.
      const lua = await Lua.create({ boot: "booted = f()", functions: { f: () => 7 } });
      assert.equal(lua.eval("return booted"), 7);
      await lua.close();
    });

    test("is not needed", async () => {
      const backend = new RecordBackend();
      const lua = await Lua.create({ storage: backend, resume: true });
      lua.eval("x = 1");
      await lua.close();
      const next = await openResumed(backend);
      assert.equal(next.eval("return x"), 1);
      await next.close();
    });

    test("runs again when the page was reloaded before it had ended: its tables are there, its VM is not", async () => {
      const backend = new RecordBackend();
      let survivor!: RecordBackend;
      const lua = await Lua.create({
        storage: backend,
        resume: true,
        boot: async (lua) => {
          lua.eval("x = 1 ext.table('t').x = 1");
          await lua.flush();
          await settled(3);
          survivor = backend.survivor();
        },
      });
      assert.deepEqual(vmKeys(survivor), []);
      await lua.flush();
      assert.ok(vmKeys(backend).length > 3);
      let booted = 0;
      const next = await Lua.create({ storage: survivor, resume: true, boot: () => void (booted += 1) });
      assert.equal(booted, 1);
      assert.deepEqual(next.evalAll("return x, ext.table('t').x"), [undefined, 1]);
      await lua.close();
      await next.close();
    });

    test("that fails is an error of `create`: nothing is kept, nothing goes on, and the storage is free", async () => {
      for (const boot of [
        "error('not today')",
        "local x = = 1 -- not today",
        (lua: Lua) => {
          void lua.evalAsync("while true do async.sleep(1) alive() end").catch(() => {});
          lua.eval("ext.table('t').x = 1");
          throw new Error("not today");
        },
        () => Promise.reject(new Error("not today")),
      ]) {
        const storage = newFile();
        let alive = 0;
        const functions = { alive: () => void (alive += 1) };
        await assert.rejects(begin(storage, { boot, functions }), /not today|unexpected symbol/);
        const before = alive;
        await pause(10);
        assert.equal(alive, before);
        let booted = 0;
        const next = await begin(storage, { boot: () => void (booted += 1), lockTimeout: 0 });
        assert.equal(booted, 1);
        await next.close();
        await (await openResumed(storage)).close();
      }
      // Without `resume`, too.
      let alive = 0;
      const boot = (lua: Lua) => {
        void lua.evalAsync("while true do async.sleep(1) alive() end").catch(() => {});
        throw new Error("not today");
      };
      await assert.rejects(Lua.create({ boot, functions: { alive: () => void (alive += 1) } }), /not today/);
      await pause(10);
      assert.equal(alive, 0);
    });

    test("may close what it was given", async () => {
      const backend = new RecordBackend();
      const lua = await begin(backend, { boot: (lua) => lua.close() });
      assert.throws(() => lua.eval(""), LuaClosedError);
      assert.deepEqual(vmKeys(backend), []);
    });
  });

  suite("functions", () => {
    test("are bound before anything goes on; what is missing is named", async () => {
      const backend = new RecordBackend();
      const said: unknown[] = [];
      const functions = { "app.say": (text: string) => void said.push(text), other: () => 1 };
      const lua = await begin(backend, { boot: "say = app.say function talk(x) app.say(x) end", functions });
      lua.call("talk", "first");
      // Not yet begun, when this is committed.
      const flushing = lua.flush();
      void lua.evalAsync("async.all({ function() app.say('all') end })").catch(() => {});
      await flushing;
      const survivor = backend.survivor();
      const without = await openResumed(survivor.survivor());
      assert.deepEqual([...without.restored!.missing].sort(), ["app.say", "other"]);
      assert.throws(() => without.call("talk", "x"), /app\.say/);
      without.register("app.say", functions["app.say"]);
      assert.deepEqual(without.restored!.missing, ["other"]);
      without.call("talk", "second");
      await without.close();
      for (const task of without.restored!.tasks) await task.result.catch(() => {});
      said.length = 0;
      const errors: unknown[] = [];
      const next = await openResumed(survivor, { functions });
      assert.deepEqual(next.restored!.missing, []);
      for (const task of next.restored!.tasks) await task.result.catch((error) => errors.push(error));
      assert.deepEqual([said, errors], [["all"], []]);
      next.eval("say('third')");
      assert.deepEqual(said, ["all", "third"]);
      await next.close();
      await lua.close();
    });

    test("that cannot be registered leave nothing behind", async () => {
      const storage = newFile();
      const lua = await begin(storage);
      void lua
        .evalAsync("while true do async.sleep(1) ext.table('t').ticks = (ext.table('t').ticks or 0) + 1 end")
        .catch(() => {});
      await lua.close();
      await assert.rejects(openResumed(storage, { functions: { "": () => {} } }), /name/);
      await pause(10);
      const next = await openResumed(storage);
      assert.equal(next.restored?.tasks.length, 1);
      await next.close();
    });

    test("whose promises were waited for end with an error that can be caught", async () => {
      const backend = new RecordBackend();
      const functions = { fetch: () => new Promise(() => {}) };
      const lua = await begin(backend, {
        boot: "function go() for i = 1, 3 do local ok, why = pcall(fetch) if not ok then problem = why end end end",
        functions,
      });
      void lua.evalAsync("go()").catch(() => {});
      await lua.flush();
      const next = await openResumed(backend.survivor(), { functions });
      assert.equal(next.restored?.tasks[0]?.waitsFor, "'fetch'");
      assert.equal(next.eval("return problem"), undefined);
      await until(() => next.eval("return problem ~= nil"));
      assert.match(String(next.eval("return tostring(problem)")), /stayed behind/);
      await next.close();
      await lua.close();
    });
  });

  suite("one moment", { timeout: HANG_MS }, () => {
    test("from the first commit on, also when something goes on at once", async () => {
      const backend = new RecordBackend();
      // What is done twice shows.
      const lua = await begin(backend, {
        boot: `local t = ext.table("t") n = 0
          function both() n = n + 1 t.n = (t.n or 0) + 1 end
          function work() async.all({ function() both() async.sleep(1) both() end }) end`,
      });
      const flushing = lua.flush();
      // Committed before it has begun.
      void lua.callAsync("work").catch(() => {});
      await flushing;
      const survivor = backend.survivor();
      const commits = history(survivor);
      const next = await openResumed(survivor);
      await next.restored?.tasks[0]?.result;
      await next.close();
      assert.ok(commits.length > 0);
      for (const commit of [backend.survivor(), ...commits]) {
        const found = await openResumed(commit);
        await found.restored?.tasks[0]?.result;
        assert.deepEqual(found.evalAll("return n, ext.table('t').n"), [2, 2]);
        await found.close();
      }
      await lua.close();
    });

    test(`${SEQUENCES} random programs: in every commit, the VM and the tables agree`, async () => {
      let commits = 0;
      for (let seed = 1; seed <= SEQUENCES; seed++) commits += await randomProgram(seed);
      console.log(`${commits} commits looked at`);
      assert.ok(commits > 10 * SEQUENCES);
    });

    test(`killed ${KILLS} times, in a file`, async () => {
      const random = new Random(KILLS);
      const path = join(folder, "killed");
      let least = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const child = startChild(fileURLToPath(import.meta.url), "count", path);
        if (kill % 4 === 3) await pause(60 + random.below(100));
        else {
          // The first line is that it has opened; each other one is a commit.
          const lines = 1 + random.below(4);
          await child.says(() => child.lines.length >= lines);
          await pause(random.below(20));
        }
        await child.kill();
        for (const line of child.lines) {
          const [what, n] = line.split(" ");
          assert.notEqual(what, "wrong", line);
          if (what === "opened") assert.ok(Number(n) >= least, `${line}, after ${least}`);
          if (what === "opened") assert.match(line, least > 0 ? / 1$/ : / (1|anew)$/);
          least = Math.max(least, Number(n));
        }
      }
      const last = await openResumed(`file:${path}`, { functions: { note() {} } });
      assert.equal(last.eval("return disagreement()"), undefined);
      assert.ok((last.call("reached") as number) >= least && least > KILLS);
      await last.close();
    });

    test("a commit that fails is made again as things are then; `close` that fails leaves everything running", async () => {
      const backend = new RecordBackend();
      const all = history(backend);
      const lua = await begin(backend, { functions: { note() {} } });
      lua.on("storage-error", () => {});
      await lua.flush();
      void lua.evalAsync("ticking('tick', 1)").catch(() => {});
      lua.call("step");
      backend.fails = (commit) => commit < 6;
      let steps = 0;
      while (backend.commits < 5) {
        await assert.rejects(lua.close(), { code: "quota" });
        steps = lua.call("step") as number;
        const ticks = lua.table("t").get("tick") as number | undefined;
        // It sleeps and wakes up as before.
        await until(() => (lua.table("t").get("tick") as number) > (ticks ?? 0));
      }
      await agrees(backend.survivor());
      await lua.close();
      for (const each of all) if (vmKeys(each).length > 0) await agrees(each);
      const next = await openResumed(backend, { functions: { note() {} } });
      assert.equal(next.restored?.tasks.length, 1);
      assert.equal(next.eval("return disagreement()"), undefined);
      assert.equal(next.call("reached"), steps);
      assert.ok(steps >= 3);
      await next.close();
    });

    test("nothing of the VM is lost when storage has lost everything", async () => {
      const old = await committed({ wasm: build(1) });
      const backend = new (class extends RecordBackend {
        cleared = false;
        override async commit(changes: Parameters<RecordBackend["commit"]>[0]): Promise<void> {
          if (!this.cleared) return super.commit(changes);
          this.cleared = false;
          this.records.clear();
          throw Object.assign(new Error("cleared"), { code: "reset" });
        }
      })();
      backend.records = old.records;
      await (await begin(backend)).close();
      // Whether this one has made the other's image that which is kept, or found it so.
      for (let round = 0; round < 2; round++) {
        const lua = await begin(backend);
        const { previousImage } = lua;
        assert.ok(previousImage);
        lua.on("storage-error", () => {});
        lua.call("step");
        await lua.flush();
        const before = vmKeys(backend);
        backend.cleared = true;
        lua.call("step");
        await assert.rejects(lua.flush(), { code: "reset" });
        assert.equal(backend.records.size, 0);
        await lua.flush();
        assert.deepEqual(vmKeys(backend), before);
        await agrees(backend.survivor());
        await lua.close();
        const next = await openResumed(backend);
        assert.deepEqual(next.previousImage, previousImage);
        await next.close();
        if (round === 0) {
          const third = await begin(backend, { wasm: build(2) });
          await third.flush();
          await third.close();
          await (await begin(backend)).close();
        }
      }
    });
  });

  suite("closing", { timeout: HANG_MS }, () => {
    test("rejects the promises of calls that wait, and they go on at the next opening", async (t) => {
      const clock = new ManualClock(t);
      const backend = new RecordBackend();
      const lua = await begin(backend, {
        boot: `
          done = {}
          function work(name) local x <close> = setmetatable({}, { __close = function() done[#done + 1] = "closed " .. name end })
            for i = 1, 3 do async.sleep(10) done[#done + 1] = name .. i end return name end
          function all() async.all({ function() work("b") end, function() work("c") end }) return "both" end
          function race() return async.race({ function() async.sleep(15) return "quick" end, function() async.sleep(1000000) end }) end`,
      });
      const [one, both, first] = ["work", "all", "race"].map((name) => lua.callAsync(name, "a"));
      const ends = [one, both, first].map((promise) => assert.rejects(promise as Promise<unknown>, LuaClosedError));
      await clock.pass(12);
      await lua.close();
      await Promise.all(ends);
      const next = await openResumed(backend);
      const { tasks } = next.restored!;
      assert.deepEqual(tasks.map(({ waitsFor }) => waitsFor).sort(), ["'async.all'", "'async.all'", "'async.sleep'"]);
      await clock.pass(30);
      const results = await Promise.all(tasks.map(({ result }) => result));
      assert.deepEqual(results.sort(), ["a", "both", "quick"]);
      const done = next.globals.get("done") as string[];
      assert.deepEqual([...done].sort(), [
        "a1",
        "a2",
        "a3",
        "b1",
        "b2",
        "b3",
        "c1",
        "c2",
        "c3",
        "closed a",
        "closed b",
        "closed c",
      ]);
      await next.close();
      const last = await openResumed(backend);
      assert.deepEqual(last.restored?.tasks, []);
      await last.close();
    });

    test("waits for nothing that waits, and commits what was only scheduled", async (t) => {
      const clock = new ManualClock(t);
      const backend = new RecordBackend();
      const lua = await begin(backend);
      await lua.flush();
      void lua.callAsync("ticking", "x", 1_000_000).catch(() => {});
      lua.call("step");
      const before = clock.now;
      await lua.close();
      assert.equal(clock.now, before);
      const next = await openResumed(backend);
      assert.deepEqual([next.call("reached"), next.restored?.tasks.length], [1, 1]);
      // What it discards, it discards of both.
      next.call("step");
      backend.held = false;
      await next.close({ discard: true });
      const last = await openResumed(backend);
      assert.equal(last.eval("return disagreement()"), undefined);
      await last.close();
    });

    test("keeps what settles meanwhile for later, whether it fails or not", async () => {
      const backend = new RecordBackend();
      let answer!: (value: string) => void;
      const functions = { ask: () => new Promise<string>((resolve) => (answer = resolve)) };
      const lua = await begin(backend, {
        boot: "function go() got = ask() ext.table('t').got = got return got end",
        functions,
      });
      lua.on("storage-error", () => {});
      await lua.flush();
      const going = lua.callAsync("go");
      backend.held = true;
      const closing = lua.close();
      await settled();
      answer("now");
      await settled();
      assert.throws(() => lua.eval(""), LuaClosedError);
      backend.fails = () => true;
      backend.held = false;
      backend.releases.shift()?.();
      await assert.rejects(closing, { code: "quota" });
      assert.equal(await going, "now");
      assert.deepEqual(lua.evalAll("return got, ext.table('t').got"), ["now", "now"]);
      backend.fails = () => false;
      await lua.close();
      const next = await openResumed(backend, { functions });
      assert.deepEqual(next.evalAll("return got, ext.table('t').got"), ["now", "now"]);
      await next.close();
    });
  });

  suite("another build", () => {
    const builds = [build(0), build(1), build(2)] as const;
    /** A VM of a build, which boots with `n = NUMBER`, unless it goes on. */
    const open = async (storage: RecordBackend, number: 0 | 1 | 2) => {
      const previous: (LuaPrevious | undefined)[] = [];
      const lua = await Lua.create({
        storage,
        resume: true,
        wasm: builds[number],
        boot: (lua, before) => {
          previous.push(before);
          lua.eval(`n = ${number} ext.table("t").n = (ext.table("t").n or 0) + 1`);
        },
      });
      return { lua, previous };
    };

    test("begins anew, with the image of the last, which is kept until there is another", async () => {
      const backend = new RecordBackend();
      const first = await open(backend, 1);
      assert.deepEqual(first.previous, [undefined]);
      assert.equal(first.lua.previousImage, undefined);
      first.lua.eval("n = 'of the first'");
      await first.lua.close();

      const second = await open(backend, 0);
      const [previous] = second.previous;
      assert.ok(previous?.reason instanceof LuaImageError && previous.image !== undefined);
      assert.equal(previous.reason.code, "build");
      assert.equal(second.lua.restored, undefined);
      assert.equal(second.lua.previousImage, previous.image);
      assert.deepEqual(second.lua.evalAll("return n, ext.table('t').n"), [0, 2]);
      await second.lua.flush();
      const keys: string[] = [];
      backend.committed = (changes) => keys.push(...changes.map(([key]) => key));
      second.lua.eval("m = 1");
      await second.lua.close();
      // It is there already.
      assert.ok(keys.includes("xvm:i") && !keys.includes("xvm:o0"), keys.join());

      for (let round = 0; round < 3; round++) {
        const { lua, previous: none } = await open(backend, 0);
        assert.deepEqual([none, lua.restored?.missing], [[], []]);
        assert.deepEqual(lua.previousImage, previous.image);
        lua.eval("n = n + 1");
        const old = await Lua.restore(lua.previousImage as Uint8Array, { wasm: builds[1] });
        assert.equal(old.eval("return n"), "of the first");
        await old.close();
        await assert.rejects(Lua.restore(lua.previousImage as Uint8Array), { code: "build" });
        await lua.close();
      }

      const third = await open(backend, 2);
      assert.equal(third.previous[0]?.reason.code, "build");
      const image = third.lua.previousImage as Uint8Array;
      assert.notDeepEqual(image, previous.image);
      const old = await Lua.restore(image, { wasm: builds[0] });
      assert.equal(old.eval("return n"), 3);
      await third.lua.close();
      const again = await open(backend, 2);
      assert.deepEqual(again.lua.previousImage, image);
      await again.lua.close();
      await old.close();
    });

    test("leaves the old image where it is until `boot` has ended", async () => {
      const backend = await committed({ wasm: builds[1] });
      const before = [...backend.records];
      const boot = async (lua: Lua) => {
        await lua.flush();
        throw new Error("not today");
      };
      await assert.rejects(begin(backend, { boot }), /not today/);
      assert.deepEqual([...backend.records], before);
      const old = await openResumed(backend, { wasm: builds[1] });
      assert.equal(old.eval("return n"), 1);
      await old.close();
    });

    test("has nothing of a larger memory left over, and keeps images of many parts", async () => {
      const backend = new RecordBackend();
      const large = await begin(backend, {
        wasm: builds[1],
        boot: "local r = 1 big = {} for i = 1, 300000 do r = (r * 1103515245 + 12345) % 2147483648 big[i] = r / 7 end n = #big",
        memoryLimit: 2 ** 25,
      });
      await large.close();
      const pages = vmKeys(backend).length;
      assert.ok(pages > 200);
      const lua = await begin(backend, { boot: SMALL });
      const image = lua.previousImage as Uint8Array;
      assert.ok(image.length > 2 ** 20);
      await lua.close();
      const keys = vmKeys(backend);
      assert.equal(keys.filter((key) => key.startsWith("xvm:o")).length, Math.ceil(image.length / 2 ** 20));
      assert.ok(keys.filter((key) => key.startsWith("xvm:m")).length < 30, keys.join());
      const next = await openResumed(backend);
      assert.deepEqual(next.previousImage, image);
      await next.close();
      const old = await Lua.restore(image, { wasm: builds[1] });
      assert.equal(old.eval("return #big == 300000 and n"), 300_000);
      await old.close();
      // A smaller one takes its place.
      const third = await begin(backend, { boot: SMALL, wasm: builds[2] });
      await third.close();
      assert.deepEqual(
        vmKeys(backend).filter((key) => key.startsWith("xvm:o")),
        ["xvm:o0"],
      );
      const last = await openResumed(backend, { wasm: builds[2] });
      assert.notEqual(last.previousImage?.length, image.length);
      await last.close();
    });
  });

  suite("damage", () => {
    /**
     * Checks that a program begins anew, its tables are as they were, and from then on it goes on as ever.
     */
    const recovers = async (backend: RecordBackend, what: string, code = "corrupt") => {
      const before = await tableOf(backend);
      const previous: (LuaPrevious | undefined)[] = [];
      const lua = await begin(backend, { boot: (_, before) => void previous.push(before) });
      assert.equal(previous[0]?.reason.code, code, what);
      assert.ok(previous[0]?.reason instanceof LuaImageError);
      assert.equal(lua.restored, undefined, what);
      assert.deepEqual(Object.fromEntries([...lua.table("t")]), before, what);
      lua.eval("n = 41 ext.table('t').n = 41");
      await lua.close();
      const next = await openResumed(backend);
      assert.deepEqual(next.evalAll("return n, ext.table('t').n"), [41, 41], what);
      await next.close();
    };

    test("of any record: a flipped bit, one that is cut off, one that is missing", async () => {
      const good = await committed({ wasm: build(1) });
      await (await begin(good, { boot: SMALL })).close();
      const random = new Random(1);
      for (const key of vmKeys(good)) {
        for (let i = 0; i < 3; i++) {
          const backend = good.survivor();
          const bytes = Uint8Array.from(backend.records.get(key) as Uint8Array);
          bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
          backend.records.set(key, bytes);
          await recovers(backend, `a bit of ${key}`);
        }
        const cut = good.survivor();
        const bytes = cut.records.get(key) as Uint8Array;
        cut.records.set(key, bytes.subarray(0, random.below(bytes.length)));
        await recovers(cut, `${key}, cut off`);
        if (!key.startsWith("xvm:m")) continue;
        const missing = good.survivor();
        missing.records.delete(key);
        await recovers(missing, `without ${key}`);
      }
    });

    test("without a head there is nothing", async () => {
      const backend = await committed();
      backend.records.delete("xvm:i");
      const previous: unknown[] = [];
      const lua = await begin(backend, { boot: (_, before) => void previous.push(before) });
      assert.deepEqual(previous, [undefined]);
      await lua.close();
      await (await openResumed(backend)).close();
    });

    test("of a large memory stands in the way of no smaller one", async () => {
      const backend = new RecordBackend();
      const boot = "big = {} for i = 1, 100000 do big[i] = i * 1.5 end ext.table('t').n = 1";
      await (await begin(backend, { boot, memoryLimit: 2 ** 24 })).close();
      const key = vmKeys(backend)
        .filter((key) => key.startsWith("xvm:m"))
        .sort((a, b) => Number(a.slice("xvm:m".length)) - Number(b.slice("xvm:m".length)))
        .at(-1) as string;
      assert.ok(Number(key.slice("xvm:m".length)) * PAGE_BYTES > 2 ** 20);
      const bytes = Uint8Array.from(backend.records.get(key) as Uint8Array);
      bytes[9]! ^= 1;
      backend.records.set(key, bytes);
      await recovers(backend, key);
      assert.ok(!backend.records.has(key));
    });

    test("a page of an older commit, or of another VM, is not taken for the one that belongs there", async () => {
      const backend = await committed();
      const old = backend.survivor();
      const lua = await openResumed(backend);
      lua.eval("for i = 1, 1000 do _G['x' .. i] = i end n = 2");
      await lua.close();
      const changed = vmKeys(old).filter((key) => {
        const [a, b] = [old.records.get(key), backend.records.get(key)];
        return key.startsWith("xvm:m") && b !== undefined && Buffer.compare(a as Uint8Array, b) !== 0;
      });
      assert.ok(changed.length > 0);
      for (const key of [...changed, "xvm:i"]) {
        const mixed = backend.survivor();
        mixed.records.set(key, old.records.get(key) as Uint8Array);
        await recovers(mixed, `an old ${key}`);
      }
    });

    test("that no checksum finds", async (t) => {
      t.mock.method(console, "error", () => {});
      const good = await committed();
      const head = content(good, "i");
      for (const [name, bytes] of [
        ["i", new Uint8Array(0)],
        ["i", head.subarray(0, 3)],
        ["i", Uint8Array.from(head, (byte, at) => (at === head.length - 40 ? byte ^ 1 : byte))],
      ] as const) {
        const backend = good.survivor();
        replace(backend, name, bytes);
        await recovers(backend, `${name} of ${bytes.length} bytes`);
      }
      const zeros = good.survivor();
      replace(zeros, "i", new Uint8Array(100));
      await recovers(zeros, "zeros", "foreign");
      // Pages that cannot be unpacked. Others could: memory is trusted like code, and may run for ever
      // (docs/snapshots.md, section 6).
      let anew = 0;
      for (const key of vmKeys(good).filter((key) => key.startsWith("xvm:m"))) {
        const name = key.slice("xvm:".length);
        for (const fill of [0xff, 0x55]) {
          const backend = good.survivor();
          const page = new Uint8Array(4 + 8).fill(fill);
          page.set(content(good, name).subarray(0, 4));
          replace(backend, name, page);
          const before = await tableOf(backend);
          const lua = await Lua.create({ storage: backend, resume: true });
          if (lua.restored === undefined) {
            anew += 1;
            lua.table("t").set("usable", true);
            assert.deepEqual({ ...before, usable: true }, Object.fromEntries([...lua.table("t")]));
            await lua.flush();
            assert.equal((await tableOf(backend))["usable"], true);
          }
          await lua.close({ discard: true });
        }
      }
      assert.ok(anew > 0);
    });

    test("records of nobody's are removed", async () => {
      const backend = await committed();
      replace(backend, "m9999", Uint8Array.of(1));
      replace(backend, "zz", Uint8Array.of(1));
      replace(backend, "mabc", Uint8Array.of(1));
      const lua = await openResumed(backend);
      await lua.flush();
      await lua.close();
      assert.deepEqual(
        vmKeys(backend).filter((key) => /zz|abc|9999/.test(key)),
        [],
      );
      await (await openResumed(backend)).close();
    });
  });

  suite("memory", () => {
    test("may grow to what `memoryLimit` says, and a limit below what it has is refused", async () => {
      const backend = new RecordBackend();
      const fill = "x = ('x'):rep(1500000)";
      const lua = await begin(backend, { boot: SMALL, memoryLimit: 2 ** 20 });
      assert.throws(() => lua.eval(fill), { kind: "memory" });
      await lua.close();
      const same = await openResumed(backend);
      assert.throws(() => same.eval(fill), { kind: "memory" });
      await same.close();
      const more = await openResumed(backend, { memoryLimit: 2 ** 22 });
      await more.flush();
      // As soon as it is committed it is its own.
      const kept = await openResumed(backend.survivor());
      kept.eval(fill);
      await kept.close();
      more.eval(fill);
      await more.close();
      await assert.rejects(openResumed(backend, { memoryLimit: 2 ** 20 }), RangeError);
      assert.equal(backend.closed, 4);
      const again = await openResumed(backend, { memoryLimit: 2 ** 22 });
      assert.deepEqual(again.evalAll("return n, #x"), [1, 1_500_000]);
      await again.close();
    });
  });

  suite("a VM that dies", () => {
    test("is not kept: its tables are, up to the last eval before, and the next one begins anew", async (t) => {
      const { die } = mortal(t);
      const backend = new RecordBackend();
      const lua = await begin(backend);
      await lua.flush();
      lua.call("step");
      const waiting = assert.rejects(lua.callAsync("ticking", "x", 1000), { kind: "bug" });
      die();
      assert.throws(() => lua.eval("step() os.time()"), { kind: "bug" });
      await waiting;
      assert.throws(() => lua.table("t").set("x", 1), { code: "read-only" });
      await lua.close();
      assert.ok(vmKeys(backend).includes("xvm:d"));
      assert.deepEqual(await tableOf(backend), { n: 1 });
      t.mock.reset();
      let previous: LuaPrevious | undefined;
      const next = await begin(backend, { boot: (_, given) => void (previous = given) });
      assert.equal(previous?.reason.code, "died");
      assert.equal(next.table("t").get("n"), 1);
      // It is there to be looked into, as it was at the last commit.
      const image = next.previousImage ?? assert.fail();
      assert.deepEqual(previous?.image, image);
      const old = await Lua.restore(image);
      assert.equal(old.call("reached"), 0);
      await old.close();
      await next.close();
      assert.ok(!vmKeys(backend).includes("xvm:d"));
      await (await openResumed(backend)).close();
    });

    test("in a commit that is under way leaves that commit as it is", async (t) => {
      const { die } = mortal(t);
      const backend = new RecordBackend();
      const lua = await begin(backend);
      await lua.flush();
      lua.call("step");
      backend.held = true;
      const flushing = lua.flush();
      await settled();
      die();
      assert.throws(() => lua.eval("step() os.time()"), { kind: "bug" });
      backend.held = false;
      backend.releases.shift()?.();
      await flushing;
      assert.deepEqual(await tableOf(backend), { n: 1 });
      // And the next one says that it has died, though no table has changed.
      await lua.close();
      let code: string | undefined;
      const next = await begin(backend, { boot: (_, previous) => void (code = previous?.reason.code) });
      assert.equal(code, "died");
      await next.close();
    });

    test("in `boot` is an error of `create`, and nothing of it is kept", async (t) => {
      const { die } = mortal(t);
      const backend = await committed({ wasm: build(1) });
      const before = [...backend.records];
      const boot = (lua: Lua) => {
        die();
        lua.eval("ext.table('t').n = 5 os.time()");
      };
      await assert.rejects(begin(backend, { boot }), { kind: "bug" });
      assert.deepEqual([...backend.records], before);
    });
  });

  suite("pace", () => {
    /** A VM whose last changes took next to no time to take: the pace of the first lasts longer. */
    const running = async (backend: RecordBackend) => {
      const lua = await begin(backend);
      for (let i = 0; i < 5; i++) {
        lua.call("step");
        await lua.flush();
      }
      return lua;
    };

    test("a busy program is committed a few times a second, and at once when somebody flushes", async (t) => {
      const clock = new ManualClock(t);
      const backend = new RecordBackend();
      const lua = await running(backend);
      const before = backend.commits;
      for (let ms = 0; ms < 900; ms += 10) {
        for (let i = 0; i < 20; i++) lua.call("step");
        await clock.pass(10);
      }
      // One pause after the other.
      assert.equal(backend.commits - before, 2);
      await lua.flush();
      for (let i = 1; i <= 5; i++) {
        const before = backend.commits;
        lua.call("step");
        await lua.flush();
        assert.equal(backend.commits, before + 1);
      }
      await lua.close();
    });

    test("one whose commits are costly is committed less often, but twice a second at least", async (t) => {
      const clock = new ManualClock(t);
      const backend = new RecordBackend();
      const lua = await running(backend);
      // With a look at the time before and one behind, a commit takes 10 ms or more.
      clock.readingMs = 10;
      lua.call("step");
      await lua.flush();
      clock.readingMs = 0;
      const before = backend.commits;
      lua.call("step");
      await clock.pass(450);
      assert.equal(backend.commits, before);
      await clock.pass(50);
      assert.equal(backend.commits, before + 1);
      await lua.close();
    });

    test("an eval after a while is committed at once, and nothing is where nothing runs", async (t) => {
      const clock = new ManualClock(t);
      const backend = new RecordBackend();
      const lua = await running(backend);
      for (let i = 0; i < 3; i++) {
        await clock.pass(450);
        const before = backend.commits;
        lua.call("step");
        await clock.pass(1);
        assert.equal(backend.commits, before + 1);
      }
      await agrees(backend.survivor());
      const { commits } = backend;
      await clock.pass(10_000);
      lua.stats();
      await lua.flush();
      await lua.close();
      assert.equal(backend.commits, commits);
    });

    test("tables wait for it, too: what JavaScript writes alone", async (t) => {
      const clock = new ManualClock(t);
      const backend = new RecordBackend();
      const lua = await begin(backend);
      await lua.flush();
      const { commits } = backend;
      for (let i = 0; i < 10; i++) {
        lua.table("own").set("x", i);
        await clock.pass(1);
      }
      assert.equal(backend.commits, commits);
      await lua.flush();
      assert.equal(backend.commits, commits + 1);
      await lua.close();
    });
  });

  suite("what is written", () => {
    test("is what has changed: a few pages for a small eval, all of them when it was reopened by nobody", async () => {
      const backend = new RecordBackend();
      let bytes = 0;
      let keys: string[] = [];
      backend.committed = (changes) => {
        bytes = changes.reduce((sum, [, bytes]) => sum + (bytes?.length ?? 0), 0);
        keys = changes.map(([key]) => key);
      };
      const lua = await begin(backend, {
        boot: `${PROGRAM} big = {} for i = 1, 20000 do big[i] = i * 1.1 end collectgarbage() collectgarbage("stop")`,
      });
      await lua.flush();
      const [all, first] = [bytes, keys.length];
      assert.ok(first > 20);
      for (let i = 0; i < 5; i++) {
        lua.call("step");
        await lua.flush();
        assert.ok(keys.length < 12 && bytes < all / 4, `${keys.length} of ${first} records, ${bytes} of ${all} bytes`);
        assert.ok(keys.includes("xvm:i"));
      }
      const summary = `${bytes} of ${all}`;
      await lua.close();
      const next = await openResumed(backend);
      await next.flush();
      // It knows what is there.
      assert.ok(keys.length < 10, keys.join());
      next.call("step");
      await next.flush();
      assert.ok(keys.length < 10, keys.join());
      await next.close();
      console.log(`bytes of a commit: ${summary}`);
    });

    test("is what a page has become, also when it is again what it was", async () => {
      const backend = new RecordBackend();
      const lua = await begin(backend);
      for (const letter of "abab") {
        lua.eval(`x = nil collectgarbage() x = ("${letter}"):rep(200000)`);
        await lua.flush();
        const next = await openResumed(backend.survivor());
        assert.equal(next.eval(`return x == ("${letter}"):rep(200000)`), true, letter);
        await next.close();
      }
      await lua.close();
    });

    test("does not come back as it was when a commit fails between two others", async () => {
      const backend = new RecordBackend();
      const lua = await begin(backend);
      lua.on("storage-error", () => {});
      await lua.flush();
      // There and back again: what the failed commit had must not be taken for what is there.
      lua.eval("x = ('a'):rep(100000) y = 1");
      await lua.flush();
      backend.fails = () => true;
      lua.eval("x = nil y = 2 collectgarbage()");
      await assert.rejects(lua.flush(), { code: "quota" });
      lua.eval("z = ('b'):rep(100000) y = 3");
      await assert.rejects(lua.flush(), { code: "quota" });
      lua.eval("z = nil x = ('a'):rep(100000) collectgarbage()");
      backend.fails = () => false;
      await lua.flush();
      const next = await openResumed(backend.survivor());
      assert.deepEqual(next.evalAll("return #x, z, y, x == ('a'):rep(100000)"), [100_000, undefined, 3, true]);
      await next.close();
      await lua.close();
    });
  });
}

/** Checks that VM and tables in this storage are of one moment; also a little later. */
async function agrees(backend: RecordBackend): Promise<void> {
  const lua: Lua = await openResumed(backend, {
    functions: { note: (name: string, n: number) => void lua.table("js").set(name, n) },
  });
  assert.equal(lua.eval("return disagreement()"), undefined);
  lua.call("step");
  await settled();
  assert.equal(lua.eval("return disagreement()"), undefined);
  await lua.close({ discard: true });
}

/**
 * A program that does everything that changes both; how many commits it made, in each of which both agree.
 */
async function randomProgram(seed: number): Promise<number> {
  const random = new Random(seed);
  let backend = new RecordBackend();
  const commits: RecordBackend[] = [];
  let lua!: Lua;
  let flushed = 0;
  const open = async (first: boolean) => {
    commits.push(...history(backend));
    backend.committed = () => commits.push(backend.survivor());
    lua = await (first ? begin : openResumed)(backend, {
      functions: {
        note: (name: string, n: number) => void lua.table("js").set(name, n),
        wait: () => pause(random.below(3)),
        stop: () => lua.interrupt(),
      },
    });
    lua.on("storage-error", () => {});
    assert.equal(lua.eval("return disagreement()"), undefined);
    assert.ok((lua.call("reached") as number) >= flushed);
  };
  // What had failed by then is told to this one, too.
  const close = () => lua.close().catch(() => lua.close());
  const quiet = (promise: Promise<unknown>) => void promise.catch(() => {});
  const steps: (() => unknown)[] = [
    () => lua.call("step"),
    () => lua.call("step"),
    () => lua.tryEval("fail()"),
    () => lua.eval("rollBack()"),
    () => lua.tryEval("abandonTransaction()"),
    () => lua.tryEval("spin()", { fuel: 100_000 }),
    () => lua.tryEval("spin()", { timeout: 1 }),
    () => lua.tryEval("step() stop() while true do end"),
    () => lua.eval("noted()"),
    () => lua.eval("fill()"),
    () => lua.eval("local t = {} for i = 1, 3000 do t[i] = { i } end step()"),
    () => lua.table("own").set("x", random.below(100)),
    () =>
      lua.transaction(() =>
        lua
          .table("own")
          .set("y", 1)
          .set("z", "z".repeat(random.below(3000))),
      ),
    () => lua.gc(),
    () => lua.interrupt(),
    () => quiet(lua.callAsync("ticking", `tick${random.below(3)}`, 1 + random.below(4))),
    () => quiet(lua.evalAsync("together()")),
    () => quiet(lua.evalAsync("wait() step() wait() step()")),
    () => quiet(lua.evalAsync("async.sleep(5) step()", { timeout: 3 })),
    () => lua.eval("ext.table('t2').x = 1"),
    () => pause(random.below(12)),
    () => pause(random.below(12)),
    () => settled(),
    () => {
      // Whatever is done meanwhile may be in a later commit.
      const n = (lua.table("t").get("n") as number) ?? 0;
      return lua.flush().then(
        () => (flushed = Math.max(flushed, n)),
        () => {},
      );
    },
    () => {
      const from = backend.commits;
      const until = from + random.below(3);
      backend.fails = (commit) => commit > from && commit <= until;
    },
    () => {
      // Half of its records, and then the program goes on.
      backend.between = random.below(2) === 0 ? undefined : () => (random.below(3) === 0 ? settled() : undefined);
    },
    async () => {
      backend.fails = () => false;
      if (random.below(3) > 0) return;
      await close();
      await open(false);
    },
    async () => {
      if (random.below(3) > 0) return;
      // The page dies; what is committed is all there is.
      const survivor = backend.survivor();
      await lua.close({ discard: true });
      backend.committed = () => {};
      backend = survivor;
      await open(false);
    },
  ];
  await open(true);
  await lua.flush();
  for (let i = 0; i < STEPS; i++) {
    await random.pick(steps)();
    if (random.below(2) === 0) lua.flush().catch(() => {});
    const wrong = lua.eval("return disagreement()");
    assert.equal(wrong, undefined, `seed ${seed}: a test that is wrong`);
  }
  backend.fails = () => false;
  await close();
  for (const commit of commits) {
    if (vmKeys(commit).length === 0) continue;
    await agrees(commit).catch((error: Error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
    });
  }
  return commits.length;
}
