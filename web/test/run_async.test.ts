/** Output of asynchronous calls: each has its own, whatever runs beside it and however it ends. */
import assert from "node:assert/strict";
import { suite, test, type TestContext } from "node:test";
import * as perilune from "../src/index.ts";
import type { EvalAsyncOptions, HostFunction, LuaError, LuaFunction, LuaOptions, LuaRun } from "../src/index.ts";
import { outputRounds } from "./outputs.ts";
import { ManualClock, inTime, settled } from "./time.ts";

const { Lua, LuaClosedError, LuaInterruptError, LuaMemoryError, LuaRuntimeError, LuaSyntaxError, LuaTimeoutError } =
  perilune;

const ROUNDS = process.env["PERILUNE_LONG"] === "1" ? 20_000 : 400;

/** A program that writes when it is closed, before and after it has waited. */
const CLOSES = `local _ <close> = setmetatable({}, { __close = function()
  print("closes") soon() print("closed")
end })`;

/** A VM whose usual output is kept, with functions to wait for. */
async function make(options: LuaOptions = {}) {
  let text = "";
  const lua = await Lua.create({
    stdout: (part) => (text += part),
    stderr: (part) => (text += part),
    ...options,
    functions: { soon: async () => {}, never: () => new Promise(() => {}), ...options.functions },
  });
  return { lua, usual: () => text };
}

/** The error that a call ends with. */
async function errorOf(call: Promise<unknown>): Promise<LuaError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof perilune.LuaError, String(error));
    return error;
  }
  throw new Error("the call has ended without an error");
}

/** Number of calls that wait in a VM. */
async function waiting(lua: perilune.Lua): Promise<number> {
  const copy = await Lua.restore(lua.snapshot());
  const { length } = copy.restored!.tasks;
  await copy.close();
  return length;
}

suite("calls side by side", () => {
  test("have each its own output, and the rest is for the callbacks of the VM", async () => {
    let lines = 0;
    const rounds = outputRounds(perilune, 1, ROUNDS);
    for (let seed = 1; ; seed++) {
      const { value, done } = await inTime(rounds.next(), () => `round ${seed}`);
      if (done) break;
      assert.deepEqual(value.problems, [], `round ${seed}`);
      lines += value.lines;
    }
    assert.ok(lines > 20 * ROUNDS, `${lines} lines`);
  });
});

suite("runAsync", () => {
  test("gives what run gives", async () => {
    const { lua, usual } = await make();
    const code = "print('one') io.stderr:write('two\\n') warn('@on') warn('three') return 1, 'more'";
    const { ms: _, ...run } = lua.run(code);
    const { ms, ...again } = await lua.runAsync(code);
    assert.deepEqual(run.output, "one\ntwo\nLua warning: three\n");
    assert.deepEqual({ ...again, fuel: 0 }, { ...run, fuel: 0 });
    assert.ok(ms >= 0);
    assert.equal(usual(), "");
    assert.deepEqual((await lua.runAsync("return x", { env: { x: 5n }, integers: "bigint" })).values, [5n]);
    await assert.rejects(lua.runAsync(5 as never), TypeError);
    await lua.close();
  });

  test("counts milliseconds from the call to its end, waiting included", async (t) => {
    const clock = new ManualClock(t);
    const { lua } = await make();
    const run = lua.runAsync("async.sleep(40) async.sleep(2)");
    await clock.pass(100);
    assert.equal((await run).ms, 42);
    await lua.close();
  });

  test("counts the fuel of all its runs, and of what it runs side by side, and no other's", async () => {
    const { lua } = await make();
    const code = (count: number) =>
      `async.all(function() for i = 1, ${count} do soon() end end, function() for i = 1, ${count} do end end)`;
    const alone = await Promise.all([100, 200].map(async (count) => (await lua.runAsync(code(count))).fuel));
    const one = (await lua.runAsync(code(100))).fuel;
    const busy = lua.runAsync("for i = 1, 50 do for j = 1, 1000 do end soon() end");
    const beside = (await lua.runAsync(code(100))).fuel;
    assert.equal(beside, one);
    assert.ok(alone[1]! > alone[0]! + 200, String(alone));
    assert.ok((await busy).fuel > 50_000);
    // It is what a limit counts, which may let a tick or two go by at the end.
    await lua.runAsync(code(100), { fuel: one });
    await assert.rejects(lua.runAsync(code(100), { fuel: one - 5 }), LuaTimeoutError);
    await lua.close();
  });

  test("has what its host functions make Lua write while they run, and not what they make it write later", async () => {
    const { lua, usual } = await make();
    const later: Promise<unknown>[] = [];
    const runs: LuaRun[] = [];
    const functions: Record<string, HostFunction> = {
      eval: () => lua.eval("print('eval')"),
      run: () => void runs.push(lua.run("print('run') inner()")),
      inner: () => lua.eval("print('in run')"),
      call: (fn: LuaFunction) => fn("call"),
      runAsync: () => void later.push(lua.runAsync("print('runAsync') soon() print('later')")),
      evalAsync: () => void later.push(lua.evalAsync("print('evalAsync') soon() print('later')")),
      callAsync: (fn: LuaFunction) => void later.push(fn.callAsync("callAsync")),
      afterwards: async () => {
        lua.eval("print('at once')");
        await null;
        lua.eval("print('afterwards')");
      },
    };
    for (const [name, fn] of Object.entries(functions)) lua.register(name, fn);
    const { output } = await lua.runAsync(
      "eval() run() call(print) runAsync() evalAsync() callAsync(print) afterwards() eval() print('end')",
    );
    const [inner] = (await Promise.all(later)) as LuaRun[];
    assert.equal(output, "eval\ncall\nat once\neval\nend\n");
    assert.deepEqual(
      runs.map((run) => run.output),
      ["run\nin run\n"],
    );
    assert.equal(inner!.output, "runAsync\nlater\n");
    const rest = "evalAsync\ncallAsync\nafterwards\nlater\n";
    assert.deepEqual(usual().split("\n").sort(), rest.split("\n").sort());
    await lua.close();
  });

  test("leaves run() what is its own: not what an asynchronous call writes that it begins", async () => {
    const { lua, usual } = await make();
    let begun: Promise<unknown> | undefined;
    lua.register("begin", () => void (begun = lua.evalAsync("print('first') soon() print('second')")));
    assert.equal(lua.run("print(1) begin() print(2)").output, "1\n2\n");
    await begun;
    assert.equal(usual(), "first\nsecond\n");
    await lua.close();
  });
});

suite("a call that fails", () => {
  type Case = {
    code?: string;
    options?: (lua: perilune.Lua) => EvalAsyncOptions;
    vm?: LuaOptions;
    end?: (lua: perilune.Lua, controller: AbortController, clock: ManualClock) => unknown;
    type: new (...args: never[]) => LuaError;
    /** Text that its closing method writes. */
    closes: string;
  };
  const all = "closes\nclosed\n";
  const cases: Record<string, Case> = {
    "an error": { code: "soon() error('x')", type: LuaRuntimeError, closes: all },
    "want of memory": { code: "soon() local s = ('x'):rep(1e9)", type: LuaMemoryError, closes: all },
    fuel: { code: "soon() while true do end", vm: { fuel: 10_000 }, type: LuaTimeoutError, closes: "" },
    "fuel of its own": {
      code: "soon() while true do end",
      options: () => ({ fuel: 10_000 }),
      type: LuaTimeoutError,
      closes: "",
    },
    "a timeout": {
      options: () => ({ timeout: 50 }),
      end: (_lua, _controller, clock) => clock.pass(60),
      type: LuaTimeoutError,
      closes: all,
    },
    "a signal": { end: (_, controller) => controller.abort(), type: LuaInterruptError, closes: all },
    "a signal, given by itself": {
      code: "soon() abort() print('goes on') never()",
      type: LuaInterruptError,
      closes: `goes on\n${all}`,
    },
    "a signal in one of its functions": {
      code: "async.all(never, function() soon() abort() print('goes on') never() end)",
      type: LuaInterruptError,
      closes: `goes on\n${all}`,
    },
    "interrupt()": { end: (lua) => lua.interrupt(), type: LuaInterruptError, closes: "closes\n" },
    "close()": { end: (lua) => lua.close(), type: LuaClosedError, closes: "closes\n" },
  };
  for (const [name, { code = "soon() never()", vm, options, end, type, closes }] of Object.entries(cases)) {
    test(`has as output what was written up to the end, by ${name}`, async (t) => {
      const clock = new ManualClock(t);
      const controller = new AbortController();
      const { lua, usual } = await make({ ...vm, functions: { abort: () => controller.abort() } });
      const call = lua.runAsync(`${CLOSES} print("begins") io.stderr:write("é\\n") ${code}`, {
        signal: controller.signal,
        ...options?.(lua),
      });
      const other = lua.runAsync("print('other') soon() soon() print('more')");
      const ended = errorOf(call);
      await settled(2);
      assert.equal((await other).output, "other\nmore\n");
      await end?.(lua, controller, clock);
      const error = await ended;
      assert.ok(error instanceof type, String(error));
      const warning = /^Lua warning: error in __close.*\n/m;
      assert.equal(error.output?.replace(warning, ""), `begins\né\n${closes}`);
      assert.equal(usual(), "");
      await lua.close();
    });
  }

  test("before it has run anything has no output", async () => {
    const { lua } = await make();
    const aborted = await errorOf(lua.runAsync("print(1)", { signal: AbortSignal.abort() }));
    assert.deepEqual([aborted.kind, aborted.output], ["interrupt", ""]);
    const wrong = await errorOf(lua.runAsync("print(1) = 2"));
    assert.ok(wrong instanceof LuaSyntaxError);
    assert.equal(wrong.output, "");
    await lua.close();
  });

  test("that is cut off while it closes has what it closes after that", async () => {
    const { lua, usual } = await make();
    const controller = new AbortController();
    const closing = (body: string) => `local _ <close> = setmetatable({}, { __close = function() ${body} end })`;
    const code = `${closing("print('last')")} ${closing("print('first') never()")} never()`;
    const call = errorOf(lua.runAsync(code, { signal: controller.signal }));
    controller.abort();
    await settled(2);
    lua.interrupt();
    assert.match(String((await call).output), /^first\n(Lua warning: .*\n)?last\n$/);
    assert.equal(usual(), "");
    await lua.close();
  });

  test("because it was begun while close() ended the others has what it has written", async () => {
    const { lua, usual } = await make();
    let begun: Promise<LuaError> | undefined;
    lua.register("begin", () => void (begun = errorOf(lua.runAsync("print('begun') never()"))));
    const code = "local _ <close> = setmetatable({}, { __close = function() begin() print('closed') end }) never()";
    const call = errorOf(lua.runAsync(code));
    await lua.close();
    assert.deepEqual([(await call).output, (await call).kind], ["closed\n", "closed"]);
    const error = await inTime(begun!, () => "the call begun in between");
    assert.deepEqual([error.output, error.kind], ["begun\n", "closed"]);
    assert.equal(usual(), "");
  });

  test("because the VM has died has its own error, with its own output", async (t) => {
    const { instantiate } = WebAssembly;
    let trap: Error | undefined;
    t.mock.method(WebAssembly, "instantiate", async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
      const { exports } = await instantiate(module, imports);
      const real = exports as unknown as { eval(length: number): number };
      const dying = (length: number) => {
        if (trap !== undefined) throw trap;
        return real.eval(length);
      };
      return { exports: { ...exports, eval: dying } };
    });
    const { lua } = await make();
    const errors = Promise.all([1, 2].map((n) => errorOf(lua.runAsync(`print(${n}) never()`))));
    trap = new WebAssembly.RuntimeError("unreachable");
    assert.throws(() => lua.eval("return 1"), { kind: "bug" });
    assert.deepEqual(
      (await errors).map(({ kind, output }) => [kind, output]),
      [
        ["bug", "1\n"],
        ["bug", "2\n"],
      ],
    );
    await lua.close();
  });

  test("when an output callback interrupts has what its closing methods write", async () => {
    const { lua } = await make();
    const call = errorOf(lua.runAsync(`${CLOSES} print("begins") never()`));
    const interrupts = lua.evalAsync("print('now') io.flush() soon()", { stdout: () => lua.interrupt() });
    await assert.rejects(interrupts, LuaInterruptError);
    const { output } = await call;
    assert.match(String(output), /^begins\ncloses\n/);
    await lua.close();
  });
});

suite("outputLimit", () => {
  const refused = /the output has more than 100 bytes, which is outputLimit/;
  /** Programs, and how many variables they close: all, where a call waits when it ends. */
  const cases: Record<string, [code: string, closed: number]> = {
    "in its first run": ["io.write(('x'):rep(101)) while true do soon() end", 1],
    "when it begins to wait": ["io.write(('x'):rep(101)) never()", 1],
    "after it has waited": ["soon() pcall(function() print(('x'):rep(101)) io.flush() while true do end end)", 0],
    "at its end, of which closing is a part": ["soon() io.write(('x'):rep(101))", 0],
    "a little each time": ["while true do pcall(io.write, 'xxxxxxx') soon() end", 1],
    "in a function that it runs side by side": [
      "while true do pcall(async.all, function() io.write(('x'):rep(101)) soon() end, soon) soon() end",
      1,
    ],
    "in the last run of such a function": [
      "while true do pcall(async.all, function() soon() io.write(('x'):rep(101)) end, soon) soon() end",
      1,
    ],
    "in a call by a host function": ["soon() while true do write(101) soon() end", 0],
  };
  for (const [name, [code, closes]] of Object.entries(cases)) {
    test(`ends the call that writes more, ${name}`, async () => {
      const { lua, usual } = await make({ outputLimit: 100 });
      lua.register("write", (count: number) => lua.eval(`io.write(('x'):rep(${count}))`));
      let closed = 0;
      lua.register("closed", () => void (closed += 1));
      // Each has a limit of its own, whatever the others write.
      const others = [1, 2, 3].map((n) => lua.runAsync(`for i = 1, 9 do print(${n}, ('y'):rep(5)) soon() end`));
      const variable = "local _ <close> = setmetatable({}, { __close = function() soon() closed() end })";
      const error = await errorOf(lua.runAsync(`${variable} ${code}`));
      assert.ok(error instanceof LuaMemoryError, String(error));
      assert.match(error.message, refused);
      assert.equal(error.output?.length, 100);
      for (const [at, { output }] of (await Promise.all(others)).entries())
        assert.equal(output, `${at + 1}\tyyyyy\n`.repeat(9));
      // It has ended in the module, too.
      assert.equal(await waiting(lua), 0);
      assert.equal(closed, closes);
      assert.equal(usual(), "");
      assert.equal((await lua.runAsync("print(1) soon()")).output, "1\n");
      await lua.close();
    });
  }

  for (const [name, code] of Object.entries({
    "in a loop": "while true do print('more') soon() end",
    "before they wait for ever": "print(('more\\n'):rep(30)) never()",
  })) {
    test(`of closing methods ends them, ${name}, and the error says that there was more`, async () => {
      const { lua } = await make({ outputLimit: 100, timeout: Infinity });
      const controller = new AbortController();
      const call = errorOf(
        lua.runAsync(`local _ <close> = setmetatable({}, { __close = function() ${code} end }) never()`, {
          signal: controller.signal,
        }),
      );
      controller.abort();
      const error = await inTime(call, () => name);
      assert.match(error.message, refused);
      assert.equal(error.output, "more\n".repeat(20));
      assert.equal(await waiting(lua), 0);
      await lua.close();
    });
  }

  test("of a call inside of another ends both, as that of run() does; each has its own output", async () => {
    const { lua } = await make({ outputLimit: 100 });
    let inner: Promise<LuaError> | undefined;
    lua.register("begin", () => void (inner = errorOf(lua.runAsync("print(('x'):rep(101)) soon() never()"))));
    const outer = await errorOf(lua.runAsync("print('outer') begin() while true do soon() end"));
    assert.ok(outer instanceof LuaMemoryError, String(outer));
    assert.equal(outer.output, "outer\n");
    const error = await inner!;
    assert.match(error.message, refused);
    assert.equal(error.output, "x".repeat(100));
    assert.equal(await waiting(lua), 0);
    // Also where a function beside others has begun it, and nothing catches that.
    const beside = "while true do pcall(async.all, function() soon() begin() soon() end, never) soon() end";
    const again = await errorOf(lua.runAsync(`print("outer") ${beside}`));
    assert.ok(again instanceof LuaMemoryError, String(again));
    assert.equal(again.output, "outer\n");
    assert.equal((await inner!).output, "x".repeat(100));
    assert.equal(await waiting(lua), 0);
    await lua.close();
  });

  test("is none of calls whose output callbacks take", async () => {
    const { lua } = await make({ outputLimit: 10 });
    let text = "";
    await lua.evalAsync("for i = 1, 9 do print(i) soon() end", { stdout: (part) => (text += part) });
    assert.equal(text, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    await lua.close();
  });
});

suite("characters that are written in parts", () => {
  test("are whole, though others are written while a call waits", async () => {
    const { lua, usual } = await make();
    const halves = (first: string, second: string) => `io.write("${first}") soon() io.write("${second}")`;
    const runs = [
      lua.runAsync(halves("\\xc3", "\\xa9")),
      lua.runAsync(halves("\\xe2\\x82", "\\xac")),
      lua.runAsync(
        "io.stderr:write('\\xf0\\x9f') io.write('x\\xc3') soon() io.stderr:write('\\x98\\x80') io.write('\\xa9')",
      ),
      lua.evalAsync(halves("\\xc3", "\\xa8")),
    ];
    const [one, two, three] = (await Promise.all(runs)) as LuaRun[];
    assert.deepEqual([one!.output, two!.output, three!.output, usual()], ["é", "€", "x😀é", "è"]);
    await lua.close();
  });

  test("and never finished are shown as such, at the end of the call that has begun them", async () => {
    const { lua, usual } = await make();
    const parts: string[] = [];
    lua.register("inner", () => lua.run("io.write('b\\xc3')").output);
    assert.equal((await lua.runAsync("io.write('a\\xc3') soon()")).output, "a\ufffd");
    assert.equal((await errorOf(lua.runAsync("io.write('a\\xc3') error('x')"))).output, "a\ufffd");
    assert.deepEqual(lua.run("return inner()").values, ["b\ufffd"]);
    await lua.evalAsync("io.write('c\\xc3') soon()", { stdout: (part) => parts.push(part) });
    assert.deepEqual(parts, ["c", "\ufffd"]);
    // The callback of all calls waits for the rest, whatever ends meanwhile.
    lua.eval("io.write('d\\xc3')");
    await lua.runAsync("io.write('\\xa9') soon()");
    await lua.evalAsync("print(1) soon()", { stderr: () => {} });
    lua.eval("io.write('\\xa9')");
    assert.equal(usual(), "d1\né");
    await lua.close();
  });
});

suite("lines on the console", () => {
  function lines(t: TestContext): string[] {
    const lines: string[] = [];
    t.mock.method(console, "log", (line: string) => void lines.push(line));
    return lines;
  }

  test("are those of calls that collect nothing", async (t) => {
    const all = lines(t);
    const lua = await Lua.create({ functions: { soon: async () => {} } });
    const run = lua.runAsync("io.write('x') soon() io.write('y\\nz')");
    await lua.evalAsync("io.write('a') soon() io.write('b\\nc')");
    assert.equal((await run).output, "xy\nz");
    assert.deepEqual(all, ["a", "b", "c"]);
    // Begun inside of one that does, a line ends where that call does.
    lua.register("begin", () => void lua.evalAsync("io.write('d') soon() io.write('e')"));
    lua.run("begin()");
    assert.deepEqual(all, ["a", "b", "c", "d"]);
    await settled();
    assert.deepEqual(all, ["a", "b", "c", "d", "e"]);
    await lua.close();
  });

  test("of a stream for which a call has no callback are whole, over all its waits", async (t) => {
    const all = lines(t);
    const lua = await Lua.create({ functions: { soon: async () => {} } });
    let text = "";
    const call = lua.evalAsync("io.write('a') io.stderr:write('e') soon() io.write('b\\nc')", {
      stderr: (part) => (text += part),
    });
    lua.eval("print('other')");
    await call;
    assert.deepEqual([all, text], [["other", "ab", "c"], "e"]);
    await lua.close();
  });
});

suite("callbacks of a call", () => {
  test("take what it writes, in place of those of the VM", async () => {
    const { lua, usual } = await make();
    let [out, err] = ["", ""];
    await Promise.all([
      lua.evalAsync("print(1) soon() io.stderr:write('2\\n') print(3)", { stdout: (text) => (out += text) }),
      lua.evalAsync("print(4) soon() io.stderr:write('5\\n') print(6)", { stderr: (text) => (err += text) }),
    ]);
    assert.deepEqual([out, err, usual()], ["1\n3\n", "5\n", "4\n2\n6\n"]);
    await lua.close();
  });

  test("get in runAsync what it collects, as it comes", async () => {
    const { lua, usual } = await make({ outputLimit: 20 });
    const parts: string[] = [];
    const callbacks = {
      stdout: (text: string) => void parts.push(`out ${text}`),
      stderr: (text: string) => void parts.push(`err ${text}`),
    };
    const call = lua.runAsync("print(1) soon() io.stderr:write('2') print(3)", callbacks);
    assert.deepEqual(parts, ["out 1\n"]);
    assert.equal((await call).output, "1\n23\n");
    assert.deepEqual(parts, ["out 1\n", "err 2", "out 3\n"]);
    const error = await errorOf(lua.runAsync("print(('x'):rep(30)) soon()", callbacks));
    assert.deepEqual([error.output, parts.at(-1)], ["x".repeat(20), `out ${"x".repeat(20)}`]);
    assert.equal(usual(), "");
    await lua.close();
  });

  test("that throw disturb nothing", async (t) => {
    const spoken = t.mock.method(console, "error", () => {});
    const { lua } = await make();
    const stdout = () => {
      throw new Error("mine");
    };
    assert.equal(await lua.evalAsync("print(1) soon() print(2) return 3", { stdout }), 3);
    assert.equal((await lua.runAsync("print(1) soon() print(2)", { stdout })).output, "1\n2\n");
    assert.equal(spoken.mock.callCount(), 4);
    await lua.close();
  });
});

suite("in an image", () => {
  test("a call goes on with the output of the VM that it is in; the one that began it keeps what it has", async () => {
    const { lua, usual } = await make();
    const call = lua.runAsync("io.write('before\\xc3') async.sleep(5) print('after') return 1");
    const image = lua.snapshot();
    let restored = "";
    let forked = "";
    const forking = lua.fork({ stdout: (text) => (forked += text) });
    const other = await Lua.restore(image, { stdout: (text) => (restored += text) });
    const fork = await forking;
    assert.equal(await other.restored!.tasks[0]!.result, 1);
    assert.equal(restored, "after\n");
    assert.equal((await call).output, "before\ufffdafter\n");
    for (const { result } of fork.restored!.tasks) await result;
    assert.equal(forked, "after\n");
    assert.equal(usual(), "");
    await Promise.all([lua.close(), other.close(), fork.close()]);
  });
});

suite("what a callback throws while a call runs that can wait", () => {
  test("ends it also while it closes, where it would wait next", async () => {
    let wrong = false;
    const { lua } = await make({ now: () => (wrong ? NaN : 0), timeout: Infinity });
    lua.register("wrong", (value: boolean) => void (wrong = value));
    const controller = new AbortController();
    const code = `local _ <close> = setmetatable({}, { __close = function()
      soon() wrong(true) os.time() wrong(false) never()
    end }) never()`;
    const call = lua.evalAsync(code, { signal: controller.signal });
    controller.abort();
    await assert.rejects(call, /option "now" must return a finite number/);
    assert.equal(await waiting(lua), 0);
    await lua.close();
  });

  for (const [name, code] of Object.entries({
    "before it waits": "now() never()",
    "at its end": "soon() now()",
    "in a function beside others": "while true do pcall(async.all, function() now() never() end, never) soon() end",
    "at the end of such a function": "while true do pcall(async.all, function() soon() now() end, never) soon() end",
  })) {
    test(`ends all of the call, ${name}, and closes what it has open`, async () => {
      let wrong = false;
      const { lua } = await make({ now: () => (wrong ? NaN : 0) });
      let closed = 0;
      lua.register("closed", () => void (closed += 1));
      lua.register("wrong", (value: boolean) => void (wrong = value));
      lua.eval("function now() wrong(true) os.time() wrong(false) end");
      const closes = "local _ <close> = setmetatable({}, { __close = function() soon() closed() end })";
      await assert.rejects(lua.evalAsync(`${closes} ${code}`), /option "now" must return a finite number/);
      assert.equal(await waiting(lua), 0);
      await lua.close();
    });
  }
});
