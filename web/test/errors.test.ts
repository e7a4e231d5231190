/**
 * Errors on their way through both languages: what they are, where they were, and that they stay what they
 * are.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Lua, LuaError, LuaRuntimeError, LuaStorageError, LuaSyntaxError } from "../src/index.ts";

const lua = await Lua.create();

function thrownBy(work: () => unknown): LuaError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof LuaError, String(error));
    return error;
  }
  assert.fail("nothing was thrown");
}

function fails(name: string, error: unknown): void {
  lua.register(name, () => {
    throw error;
  });
}

suite("thrown in JavaScript", () => {
  test("an Error arrives as cause and value, with chunk, line and traceback of the caller", () => {
    const cause = Object.assign(new TypeError("bad thing"), { code: "E_BAD" });
    fails("bad", cause);
    const error = thrownBy(() => lua.eval("local x = 1\nbad()", { name: "app.lua" }));
    assert.ok(error instanceof LuaRuntimeError);
    assert.equal(error.cause, cause);
    assert.equal(error.value, cause);
    assert.equal(error.message, "app.lua:2: TypeError: bad thing");
    assert.equal(error.chunk, "app.lua");
    assert.equal(error.line, 2);
    assert.match(error.traceback ?? "", /app\.lua:2/);
  });

  test("Lua sees its message, its name and its code, and nothing else", () => {
    fails("bad", Object.assign(new RangeError("too far"), { code: 7, secret: "x" }));
    assert.deepEqual(
      lua.evalAll(
        "local ok, e = pcall(bad) return ok, type(e), e.name, e.message, e.code, (pcall(function() return e.secret end))",
      ),
      [false, "userdata", "RangeError", "too far", 7, false],
    );
    assert.match(lua.eval<string>("local _, e = pcall(bad) return tostring(e)"), /RangeError: too far$/);
    assert.match(lua.eval<string>("local _, e = pcall(bad) return 'failed: ' .. e"), /^failed: .*RangeError: too far$/);
    assert.equal(lua.eval("local _, e = pcall(bad) return (pcall(function() e.message = 'mine' end))"), false);
    assert.equal(lua.eval("local _, e = pcall(bad) return getmetatable(e)"), false);
  });

  test("Lua may catch it, keep it, raise it again, give it back: it stays the same", () => {
    const cause = new Error("mine");
    fails("bad", cause);
    assert.equal(lua.eval("local _, e = pcall(bad) return e"), cause);
    assert.equal(thrownBy(() => lua.eval("local _, e = pcall(bad) error(e)")).cause, cause);
    assert.equal(thrownBy(() => lua.eval("local _, e = pcall(bad) error(e, 0)")).value, cause);
    assert.equal(lua.eval("local _, a = pcall(bad) local _, b = pcall(bad) return a == b"), true);
    lua.register("check", (error: unknown) => error === cause);
    assert.equal(lua.eval("local _, e = pcall(bad) return check(e)"), true);
    assert.equal(lua.eval("return select(2, xpcall(bad, function(e) return check(e) end))"), true);
    assert.equal(lua.eval("local co = coroutine.create(bad) local _, e = coroutine.resume(co) return check(e)"), true);
  });

  test("inside of a table it is a value, not the cause", () => {
    const inner = new Error("inner");
    fails("bad", inner);
    const error = thrownBy(() => lua.eval("local _, e = pcall(bad) error({ why = e })"));
    assert.equal(error.cause, undefined);
    assert.equal((error.value as { why: unknown }).why, inner);
  });

  test("whatever is thrown arrives as it is", () => {
    for (const value of ["text", 42, null, undefined, false, Symbol("s"), { plain: 1 }, new Map()]) {
      fails("bad", value);
      const error = thrownBy(() => lua.eval("bad()"));
      assert.equal(error.value, value);
      assert.equal(error.cause, value);
    }
    fails("bad", "just text");
    assert.match(thrownBy(() => lua.eval("bad()")).message, /just text/);
  });

  test("an error that Lua raises as text has no cause", () => {
    const error = thrownBy(() => lua.eval("error('text')"));
    assert.equal(error.cause, undefined);
    assert.ok(!("cause" in error));
  });

  test("an Error may be given like any value, and is the same when it comes back", () => {
    const error = new Error("a value");
    lua.globals.set("e", error);
    assert.equal(lua.globals.get("e"), error);
    assert.equal(lua.eval("return e.message"), "a value");
    assert.equal(thrownBy(() => lua.eval("error(e)")).cause, error);
  });

  test("errors of Lua's own that went through stay Lua values", () => {
    lua.register("inner", (code: string) => lua.eval(code));
    assert.deepEqual(
      lua.evalAll(
        "local t = { code = 42 } leak = t local ok, e = pcall(inner, 'error(leak)') return ok, e == t, e.code",
      ),
      [false, true, 42],
    );
    assert.deepEqual(lua.evalAll("return pcall(inner, 'error(\"text\", 0)')"), [false, "text"]);
    assert.equal(lua.eval("return select(2, pcall(inner, 'error(nil)')) == nil"), true);
  });

  test("an error that JavaScript saw on its way is the cause of the one that arrives", () => {
    let seen: unknown;
    lua.register("through", (code: string) => {
      try {
        return lua.eval(code);
      } catch (error) {
        seen = error;
        throw error;
      }
    });
    const error = thrownBy(() => lua.eval("through('error({ code = 1 })')"));
    assert.deepEqual(error.value, { code: 1 });
    assert.equal(error.cause, seen);
    const original = new Error("original");
    fails("bad", original);
    assert.equal(thrownBy(() => lua.eval("through('bad()')")).cause, original);
    const refused = "local t = ext.table('gone') ext.drop('gone') t.x = 1";
    for (const again of ["through(code)", "local _, e = pcall(through, code) error(e, 0)"]) {
      const storage = thrownBy(() => lua.eval(`local code = ${JSON.stringify(refused)} ${again}`));
      assert.ok(storage instanceof LuaStorageError, again);
      assert.equal(storage.code, "closed");
      assert.equal(storage.cause, seen);
    }
  });

  test("an older error of Lua's goes back as its value", () => {
    const old = thrownBy(() => lua.eval("error({ code = 'old' })"));
    lua.register("again", () => {
      try {
        lua.eval("error('newer')");
      } catch {
        throw old;
      }
    });
    assert.equal(lua.eval("local _, e = pcall(again) return e.code"), "old");
  });

  test("another Lua's errors are errors of JavaScript", async () => {
    const other = await Lua.create();
    const foreign = thrownBy(() => other.eval("error({ code = 1 })"));
    fails("bad", foreign);
    assert.equal(thrownBy(() => lua.eval("bad()")).cause, foreign);
    await other.close();
  });

  test("a syntax error inside is one inside, and an error outside", () => {
    lua.register("load_js", (code: string) => lua.eval(code));
    const error = thrownBy(() => lua.eval("load_js('x = = 1')"));
    assert.match(error.message, /unexpected symbol|near '='/);
    assert.ok(error.cause instanceof LuaSyntaxError);
    assert.equal(lua.eval("return (pcall(load_js, 'x = = 1'))"), false);
  });
});

suite("with a traceback", () => {
  /** Ways to fail in a host function, by what the message is. */
  const thrown: readonly (readonly [string, unknown])[] = [
    ["no such file", Object.assign(new Error("no such file"), { code: "ENOENT" })],
    ["a text", "a text"],
    ["17", 17],
    ["of\0two", new Error("of\0two")],
  ];
  const handlers = [
    "debug.traceback",
    "function(e) return debug.traceback(e) end",
    "function(e) return debug.traceback(e, 1) end",
    "function(e) return debug.traceback(debug.traceback(e)) end",
  ];
  for (const [text, value] of thrown) {
    for (const handler of handlers) {
      for (const isAsync of [false, true]) {
        test(`${JSON.stringify(text)}, ${isAsync ? "rejected" : "thrown"}, ${handler}`, async () => {
          const fresh = await Lua.create();
          if (isAsync) fresh.register("fails", () => Promise.reject(value));
          else {
            fresh.register("fails", () => {
              throw value;
            });
          }
          const source = `
            local function deep() fails() return 1 end
            local _, e = xpcall(deep, ${handler})
            caught = e
            return tostring(e)`;
          const shown = await fresh.evalAsync(source, { name: "app.lua" });
          const lines = String(shown).split("\n");
          assert.equal(lines[0], `app.lua:2: ${text}`);
          assert.equal(lines[1], "stack traceback:");
          assert.ok(
            lines.some((line) => line.includes("app.lua:2: in")),
            String(shown),
          );
          assert.equal(lines.filter((line) => line === "stack traceback:").length, 1, "there is one");
          assert.equal(fresh.eval("return tostring(caught) == '' .. caught"), true);
          const again = fresh.tryEval("error(caught, 0)");
          assert.ok(!again.ok);
          assert.equal(again.error.cause, value, "it is still what was thrown");
        });
      }
    }
  }

  test("a host object that is no error has none", async () => {
    const fresh = await Lua.create();
    fresh.globals.set("thing", fresh.ref({}));
    const source = `local label = tostring(thing)
      return rawequal(debug.traceback(thing), thing) and tostring(thing) == label`;
    assert.equal(fresh.eval(source), true);
  });
});

suite("sources that are not finished", () => {
  const PROGRAMS = [
    'local t = { 1, 2; x = "a\\z  b\\x41\\u{e9}\\065", [3] = [==[ long ]] ]==], }\n' +
      "return #t + 0x1F // 1e-2 ~= nil",
    "--[[ a comment\n of lines ]] --[=[ another ]=]\n" +
      "function f(a, ...)\n  if a then return select('#', ...) elseif not a then else end\nend",
    "for i = 1, 3 do local x <const>, y <close> = i, nil repeat x.y:z 'a' { b } until x and y or not i end",
    "do goto done local a = f.b['c'](1)(2) ::done:: end while nil do break end for k, v in pairs {} do end",
    "local function fact(n) return n < 2 and 1 or n * fact(n - 1) end; (fact)(3); return - fact(4) .. 'x', ~1 << 2",
  ];
  /** End of a piece that was cut within a token, and is no token. */
  const CUT = /(\\x[0-9a-f]?|\\u(\{[0-9a-f]*)?|~|0x|\de-?|\[=*|[-.:])$/i;

  /** Says whether a source is unfinished; undefined: it compiles. */
  function incomplete(source: string): boolean | undefined {
    const result = lua.tryEval(source, { fuel: 10_000 });
    return !result.ok && result.error instanceof LuaSyntaxError ? result.error.incomplete : undefined;
  }

  test("say so after every piece of a program", () => {
    let [unfinished, cut] = [0, 0];
    for (const program of PROGRAMS) {
      assert.equal(incomplete(program), undefined, program);
      for (let length = 0; length < program.length; length++) {
        const piece = program.slice(0, length);
        const found = incomplete(piece);
        if (found === true) unfinished++;
        const isWordCut = /\w\w/.test(program.slice(Math.max(length - 1, 0), length + 1));
        if (found === false && !isWordCut) assert.match(piece, CUT);
        if (found === false) cut++;
      }
    }
    assert.ok(unfinished > 300 && cut > 10, `${unfinished}, ${cut}`);
  });

  test("name the token at which the compiler gave up", () => {
    for (const [source, token] of [
      ["x = = 1", "="],
      ["x = }", "}"],
      ["return 1 2", "2"],
      ["for i = 1, 3 od", "od"],
      ["x = 'abc\n", "'abc"],
      ["x = 'near <eof>' 1", "1"],
      ["f(] near 'x']", "]"],
      ["x = [[ near 'y' ]] [[ near 'z' ]]", "[[ near 'z' ]]"],
      ["x = 1 \u0001", "<\\1>"],
      ["for i = 1, 3 do", undefined],
      ["break", undefined],
    ] as const) {
      const error = thrownBy(() => lua.eval(source, { name: "a near 'b' chunk" }));
      assert.ok(error instanceof LuaSyntaxError, source);
      assert.equal(error.token, token, source);
    }
  });

  test("are told from wrong ones", () => {
    for (const source of [
      "x = = 1",
      "x = }",
      "break",
      "goto x",
      "x = 'abc\n",
      "x = 'near <eof>' 1",
      "return 1 2",
      "x = 1 end",
    ])
      assert.equal(incomplete(source), false, source);
    const inside = thrownBy(() => lua.eval("error('x near <eof>', 0)"));
    assert.ok(inside instanceof LuaRuntimeError && !("incomplete" in inside));
  });
});

suite("failures of storage", () => {
  test("of the outer call survive a call inside", async () => {
    const other = await Lua.create();
    other.register("noise", () => {
      other.tryEval("error('x')");
      other.tryEval("ext.table('fine').x = 1");
    });
    other.eval("t = ext.table('gone') ext.drop('gone')");
    const error = thrownBy(() => other.eval("local ok, e = pcall(function() t.x = 1 end) noise() error(e, 0)"));
    assert.ok(error instanceof LuaStorageError);
    assert.equal(error.code, "closed");
    await other.close();
  });
});

suite("death", () => {
  test("of an inner call ends the outer one, and those that wait", async (t) => {
    const { instantiate } = WebAssembly;
    let trap: unknown;
    t.mock.method(WebAssembly, "instantiate", async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
      const { exports } = await instantiate(module, imports);
      const real = exports as unknown as { eval(length: number): number };
      const dying = (length: number) => {
        if (trap !== undefined) throw trap;
        return real.eval(length);
      };
      return { exports: { ...exports, eval: dying } };
    });
    const other = await Lua.create();
    other.register("never", () => new Promise(() => {}));
    const waiting = assert.rejects(
      other.evalAsync("never()"),
      (error) => error instanceof LuaError && error.kind === "bug",
    );
    let after = false;
    other.register("kill", () => {
      trap = new WebAssembly.RuntimeError("unreachable");
      assert.throws(() => other.eval("return 1"), { kind: "bug" });
    });
    other.register("later", () => void (after = true));
    const error = thrownBy(() => other.call("pcall", other.globals.get("kill")));
    assert.deepEqual([error.kind, error.cause], ["bug", trap]);
    trap = undefined;
    assert.equal(after, false);
    assert.throws(() => other.eval("return 1"), { kind: "bug" });
    await waiting;
    await other.close();
  });
});
