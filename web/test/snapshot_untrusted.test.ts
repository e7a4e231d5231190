/**
 * Images that are damaged, or made to do harm. What is damaged is refused, with an error of one class; what
 * is forged with a right checksum is refused, or does harm to nobody but the VM in it.
 */
import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { suite, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { Lua, LuaError, LuaImageError } from "../src/index.ts";
import { part, partArguments, startChild } from "./child.ts";
import { PAGE_BYTES, checked, putTogether, takeApart, unpacked, type Parts } from "./forged_images.ts";
import { Random } from "./helpers.ts";
import { pause, settled } from "./time.ts";

const IMAGES = 500;
/** Number of sound images that this process tries out while one that has not hung tries out a damaged one. */
const IMAGES_OF_SILENCE = 100;

async function smallImage(): Promise<Uint8Array<ArrayBuffer>> {
  const lua = await Lua.create({ seed: 1, functions: { "app.log": () => {}, other: () => {} } });
  lua.eval(`
    ext.table("t").a = 1
    numbers = {} for i = 1, 200 do numbers[i] = i * 1.5 end
    words = {} for i = 1, 100 do words["k" .. i] = ("v"):rep(i) end
    co = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end)
    co()
    log = app.log
    gone = setmetatable({}, { __gc = function() end })`);
  void lua.evalAsync("async.sleep(5) async.all(function() async.sleep(1) end)").catch(() => {});
  void lua.evalAsync("async.all(function() async.sleep(1000) end, function() async.sleep(2000) end)").catch(() => {});
  await settled();
  const image = lua.snapshot();
  await lua.close();
  return image;
}

/** Programs for a VM that may be anything. */
const EXERCISES = [
  "return 6 * 7",
  "local n = 0 for k, v in pairs(_G) do n = n + #tostring(k) + #tostring(v) end return n",
  "return co(), co(), #numbers, words.k50",
  "local t = {} for i = 1, 2000 do t[i] = { i, tostring(i) } end return #t",
  "collectgarbage() collectgarbage() return collectgarbage('count')",
  "log('x') other() return ext.table('t').a",
  "local s = {} for k, v in pairs(words) do s[#s + 1] = v:upper():rep(3) end return #table.concat(s)",
  "numbers, words, co = nil collectgarbage() return pcall(error, 'x')",
];

if (part === "corrupt" || part === "cut") await tryMany(part, Number(partArguments[0]), Number(partArguments[1]));
else {
  await tests();
}

async function refused(image: Uint8Array, what: string, code?: string): Promise<void> {
  const restoring = async () => await (await Lua.restore(image as Uint8Array<ArrayBuffer>)).close({ discard: true });
  await assert.rejects(restoring, (error) => {
    assert.ok(error instanceof LuaImageError, `${what}: ${String(error)}`);
    if (code !== undefined) assert.equal(error.code, code, what);
    return true;
  });
}

async function tests(): Promise<void> {
  const image = await smallImage();
  const parts = () => takeApart(image);
  const CODES = { magic: 8, format: 12 };

  suite("damage", () => {
    test("every bit of the header", async () => {
      for (let bit = 0; bit < 48 * 8; bit++) {
        const damaged = image.slice();
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        const at = bit >> 3;
        await refused(damaged, `bit ${bit}`, at < CODES.magic ? "foreign" : at < CODES.format ? undefined : "corrupt");
        if (bit % 16 === 0) await assert.rejects(Lua.image(damaged), LuaImageError);
      }
    });

    test("2,000 bits anywhere", async () => {
      const random = new Random(1);
      for (let i = 0; i < 2000; i++) {
        const damaged = image.slice();
        const at = 12 + random.below(damaged.length - 12);
        damaged[at]! ^= 1 << random.below(8);
        await refused(damaged, `byte ${at}`, "corrupt");
      }
    });

    test("cut off at any length", async () => {
      const lengths = new Set(Array.from({ length: 300 }, (_, i) => i));
      const random = new Random(2);
      for (let i = 0; i < 500; i++) lengths.add(random.below(image.length));
      for (let i = 1; i < 100; i++) lengths.add(image.length - i);
      for (const length of lengths)
        await refused(image.subarray(0, length), `${length} bytes`, length < 8 ? "foreign" : "corrupt");
    });

    test("something behind it, and a view into other bytes", async () => {
      await refused(Buffer.concat([image, Buffer.of(0)]), "one byte more");
      const inside = Buffer.concat([Buffer.alloc(13), image, Buffer.alloc(7)]).subarray(13, 13 + image.length);
      await (await Lua.restore(inside)).close();
      await (await Lua.restore(image.buffer)).close();
    });

    test("random bytes, with the magic and without", async () => {
      const random = new Random(3);
      for (let i = 0; i < 200; i++) {
        const bytes = random.bytes(random.below(400));
        await refused(bytes, "random", "foreign");
        if (bytes.length < 60) continue;
        Buffer.from(bytes.buffer).write("PERILUVM\x01\0\0\0", "latin1");
        await refused(bytes, "random", "corrupt");
        await refused(checked(bytes), "random, checked");
      }
    });

    test("a dump is no image, and an image no dump", async () => {
      const lua = await Lua.create();
      lua.eval("ext.table('t').a = 1");
      await refused(lua.dump(), "a dump", "foreign");
      assert.throws(() => lua.load(image), { kind: "storage", code: "foreign" });
      assert.equal(lua.table("t").get("a"), 1);
      for (const other of ["text", 1, null, undefined, {}, [], new DataView(new ArrayBuffer(60))])
        await assert.rejects(Lua.restore(other as never), TypeError);
      await lua.close();
    });

    test("of another build, of a newer format", async () => {
      const build = parts().build.slice();
      build[3]! ^= 1;
      await refused(putTogether({ ...parts(), build }), "build", "build");
      await assert.rejects(Lua.image(putTogether({ ...parts(), build })), { code: "build" });
      await refused(putTogether({ ...parts(), format: 2 }), "format", "newer");
      await refused(putTogether({ ...parts(), format: 0xffffffff }), "format", "newer");
      await refused(putTogether({ ...parts(), format: 0 }), "format", "corrupt");
    });

    test("an image that was put together without a change is none of these", async () => {
      assert.deepEqual(putTogether(parts()), image);
      await (await Lua.restore(putTogether(parts()))).close();
      await (await Lua.restore(putTogether(await unpacked(image)))).close();
    });
  });

  suite("a right checksum, and a header", () => {
    const { memoryBytes, memoryLimit } = parts();
    const wrong: Record<string, Partial<Parts>> = {
      "no memory": { memoryBytes: 0 },
      "one page": { memoryBytes: 65536 },
      "no multiple": { memoryBytes: memoryBytes + 16384 },
      "more than the limit": { memoryBytes: memoryLimit + 65536 },
      "no limit": { memoryLimit: 0 },
      "a limit below": { memoryLimit: memoryBytes - 1 },
      "less memory than pages": { memoryBytes: memoryBytes - 65536 },
      "a page too many": { claims: { pages: parts().pages.length + 1 } },
      "a page too few": { claims: { pages: parts().pages.length - 1 } },
      "no pages": { pages: [] },
      "very many pages": { claims: { pages: 0xffffffff } },
      "as many pages as memory could have": { claims: { pages: memoryBytes / PAGE_BYTES } },
      "a text without end": { claims: { text: 0xffffffff } },
      "a text one shorter": { claims: { text: JSON.stringify(parts().meta).length - 1 } },
      "no text": { claims: { text: 0 } },
      "tables without end": { claims: { tables: 0xffffffff } },
      "tables one shorter": { claims: { tables: parts().tables.length - 1 } },
      "something behind the pages": { rest: new Uint8Array(9) },
    };
    for (const [name, change] of Object.entries(wrong)) {
      test(name, async () => await refused(putTogether({ ...parts(), ...change }), name));
    }

    // Who takes images of others says how much memory they may have.
    test("a huge memory of nothing is refused by a memoryLimit, before anything is made", async () => {
      const forged = putTogether({
        ...parts(),
        memoryBytes: 0xffff0000,
        memoryLimit: 0xffffffff,
        pages: parts().pages,
      });
      const before = process.memoryUsage().rss;
      await assert.rejects(Lua.restore(forged, { memoryLimit: 4 << 20 }), RangeError);
      assert.ok(process.memoryUsage().rss - before < 256 << 20);
    });
  });

  suite("a right checksum, and a text", () => {
    const { meta } = parts();
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const host = meta.host;
    const wrong: Record<string, unknown> = {
      "that is no JSON": "{",
      "that is no UTF-8": Uint8Array.of(0x22, 0xff, 0x22),
      "that is empty": "",
      "with something behind it": `${JSON.stringify(meta)}x`,
      "that is null": "null",
      "that is a number": "7",
      "that is a list": "[]",
      "that is an empty object": {},
      "with deep lists": JSON.stringify(meta).replace(/"clock":[^,}]*/, `"clock":${deep}`),
      "with a clock that is text": { ...meta, clock: "now" },
      "with a clock that is null": { ...meta, clock: null },
      "with a clock without end": JSON.stringify(meta).replace(/"clock":[^,}]*/, '"clock":1e999'),
      "with no host": { ...meta, host: undefined },
      "with a host that is an object": { ...meta, host: { length: 1, 0: host[0] } },
      "with an id twice": { ...meta, host: [...host, host[0]] },
      "with an id of a service": { ...meta, host: [[3, "function", "x", 1]] },
      "with a huge id": { ...meta, host: [[2 ** 40, "function", "x", 1]] },
      "with a negative id": { ...meta, host: [[-1, "function", "x", 1]] },
      "with an id that is none": { ...meta, host: [[1.5, "function", "x", 1]] },
      "with a kind that is none": { ...meta, host: [[16, "class", "x", 1]] },
      "with a label that is none": { ...meta, host: [[16, "function", 1, 1]] },
      "with no uses": { ...meta, host: [[16, "function", "x", 0]] },
      "with uses that are text": { ...meta, host: [[16, "function", "x", "1"]] },
      "with one name for two": { ...meta, host: [[16, "function", "x", null], [17, "function", "x", null]] }, // prettier-ignore
      "with a registered object": { ...meta, host: [[16, "object", "x", null]] },
      "with a table that is none": { ...meta, tables: [1] },
      "with a table without a name": { ...meta, tables: [""] },
      "with a table whose name is too long": { ...meta, tables: ["x".repeat(5000)] },
      "with a table whose name is no binary string": { ...meta, tables: ["\u0100"] },
      "with a task that is null": { ...meta, tasks: [null] },
      "with a task without a number": { ...meta, tasks: [{ name: "x" }] },
      "with a task without a name": { ...meta, tasks: [{ task: 1 }] },
      "with a task twice": { ...meta, tasks: [...meta.tasks, meta.tasks[0]] },
      "with a task that waits for itself": {
        ...meta,
        tasks: [{ task: 1, name: "x", pending: { run: [[0, 1]], count: 1 } }],
      },
      "with two that wait for each other": {
        ...meta,
        tasks: [
          { task: 1, name: "x", pending: { run: [[0, 2]], count: 1 } },
          { task: 2, name: "x", pending: { run: [[0, 1]], count: 1 } },
        ],
      },
      "with a task that waits for an unknown one": {
        ...meta,
        tasks: [{ task: 1, name: "x", pending: { run: [[0, 9]], count: 1 } }],
      },
      "with a task that two wait for": {
        ...meta,
        tasks: [
          { task: 1, name: "x", pending: { run: [[0, 3]], count: 1 } },
          { task: 2, name: "x", pending: { run: [[0, 3]], count: 1 } },
          { task: 3, name: "x" },
        ],
      },
      "with a task that waits twice for one": { ...meta, tasks: [{ task: 1, name: "x", pending: { run: [[0, 2], [1, 2]], count: 2 } }, { task: 2, name: "x" }] }, // prettier-ignore
      "with one place for two": {
        ...meta,
        tasks: [{ task: 1, name: "x", pending: { run: [[0, 2], [0, 3]], count: 2 } }, { task: 2, name: "x" }, { task: 3, name: "x" }], // prettier-ignore
      },
      "with a place beyond the count": {
        ...meta,
        tasks: [
          { task: 1, name: "x", pending: { run: [[5, 2]], count: 1 } },
          { task: 2, name: "x" },
        ],
      },
      "with a first beyond the count": {
        ...meta,
        tasks: [{ task: 1, name: "x", pending: { run: [], count: 1, first: 2 } }],
      },
      "with functions that nobody knows": {
        ...meta,
        tasks: [{ task: 1, name: "x", pending: { start: [1, 2, 99999] } }],
      },
      "with a sleep that is negative": { ...meta, tasks: [{ task: 1, name: "x", pending: { sleep: -1 } }] },
      "with a sleep without end": { ...meta, tasks: [{ task: 1, name: "x", pending: { sleep: 1e300 } }] },
      "with a sleep that is null": { ...meta, tasks: [{ task: 1, name: "x", pending: { sleep: null } }] },
      "with a pending wait that is null": { ...meta, tasks: [{ task: 1, name: "x", pending: null }] },
      "with an empty pending wait": { ...meta, tasks: [{ task: 1, name: "x", pending: {} }] },
      "with randomness that is text": { ...meta, random: ["a", 1, 2, 3] },
      "with too little randomness": { ...meta, random: [1, 2, 3] },
    };
    for (const [name, text] of Object.entries(wrong)) {
      test(name, async () => await refused(putTogether({ ...parts(), meta: text }), name, "corrupt"));
    }

    test("that is right, and says what is not so: an error where it matters, nothing more", async () => {
      const odd: Record<string, any> = {
        "no host functions": { ...meta, host: [] },
        "no tables": { ...meta, tables: [] },
        "no tasks": { ...meta, tasks: [] },
        "tasks that nobody knows": { ...meta, tasks: [{ task: 77, name: "x", pending: { sleep: 0 } }] },
        "names of the prototype": { ...meta, host: [[16, "function", "__proto__", null], [17, "object", "constructor", 1]] }, // prettier-ignore
        "a prototype": JSON.stringify(meta).replace(
          "{",
          '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},',
        ),
        "a table twice": { ...meta, tables: ["t", "t"] },
        "a clock far ahead": { ...meta, clock: 1e300 },
        "a high id": { ...meta, host: [[2 ** 24 - 1, "function", "x", 1]] },
      };
      for (const [name, text] of Object.entries(odd)) {
        let lua: Lua;
        try {
          lua = await Lua.restore(putTogether({ ...parts(), meta: text }));
        } catch (error) {
          assert.ok(error instanceof LuaImageError, `${name}: ${String(error)}`);
          continue;
        }
        for (const task of lua.restored?.tasks ?? [])
          task.result.catch((error: unknown) => assert.ok(error instanceof LuaError, String(error)));
        for (const code of EXERCISES) {
          const { ok } = lua.tryEval(code);
          assert.equal(typeof ok, "boolean");
        }
        await pause(3);
        assert.equal(lua.eval("return 1 + 1"), 2, name);
        await lua.close();
      }
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    });
  });

  suite("a right checksum, and pages", () => {
    const { pages, memoryBytes } = parts();
    const [first, second] = pages as [Parts["pages"][number], Parts["pages"][number]];
    const wrong: Record<string, Parts["pages"]> = {
      "in another order": [second, first, ...pages.slice(2)],
      "in the opposite order": [...pages].reverse(),
      twice: [first, first, ...pages.slice(1)],
      "of the stack": [{ ...first, number: 0 }, ...pages],
      "at the end of the stack": [{ ...first, number: 11 }, ...pages],
      "beyond memory": [...pages, { ...first, number: memoryBytes / PAGE_BYTES }],
      "far beyond": [...pages, { ...first, number: 0xffffffff }],
      "that are empty": [{ ...first, bytes: new Uint8Array(0) }, ...pages.slice(1)],
      "that are too long": [{ ...first, bytes: new Uint8Array(PAGE_BYTES + 1) }, ...pages.slice(1)],
      "that say that they are long": [{ ...first, length: 0xffffffff }, ...pages.slice(1)],
      "that say that they are shorter": [{ ...first, length: first.bytes.length - 1 }, ...pages.slice(1)],
      "that are half an LZ4 block": [
        { ...first, bytes: first.bytes.slice(0, first.bytes.length >> 1) },
        ...pages.slice(1),
      ],
      "that unpack to less": [{ ...first, bytes: Uint8Array.of(0x10, 1) }, ...pages.slice(1)],
      "that unpack to very much": [
        { ...first, bytes: new Uint8Array([0x1f, 0, 1, 0, ...new Array<number>(16000).fill(255), 0]) },
        ...pages.slice(1),
      ],
      "that point before their beginning": [
        { ...first, bytes: Uint8Array.of(0x1f, 65, 0xff, 0xff, 255, 255, 255, 0, 0) },
        ...pages.slice(1),
      ],
    };
    for (const [name, list] of Object.entries(wrong)) {
      test(name, async () => await refused(putTogether({ ...parts(), pages: list }), name, "corrupt"));
    }

    test("random LZ4 blocks: refused, or pages of nothing that anybody knows", async () => {
      const random = new Random(5);
      for (let i = 0; i < 300; i++) {
        const bytes = random.bytes(1 + random.below(300));
        if (random.below(2) === 0) bytes.set(first.bytes.subarray(0, random.below(bytes.length)));
        await refused(putTogether({ ...parts(), pages: [{ ...first, bytes }, ...pages.slice(1)] }), "LZ4", "corrupt");
      }
    });

    test("tables that are no dump, or a damaged one", async () => {
      for (const tables of [
        new Uint8Array(5),
        new TextEncoder().encode("PERILUNE"),
        parts().tables.slice(0, -1),
        image,
      ]) {
        const forged = putTogether({ ...parts(), tables });
        await refused(forged, "tables", "corrupt");
        await (await Lua.restore(forged, { tables: "storage" })).close();
      }
    });
  });

  test("images without one of their pages harm nobody", async (t) => {
    const { pages } = await unpacked(await smallImage());
    const { hung } = await watched(t, "cut", pages.length);
    assert.ok(hung.length < pages.length / 2, `${hung.length} have hung`);
  });

  test(`${IMAGES} images with damaged pages harm nobody`, async (t) => {
    const { counts, hung } = await watched(t, "corrupt", IMAGES);
    // An image is trusted like code: what counts ticks can be damaged, too. It must be rare.
    assert.ok(hung.length < IMAGES / 10, `${hung.length} have hung`);
    assert.ok(Object.keys(counts).length > 1);
  });

  /** Has processes try out images, each of them up to the one that it hangs in. Fails when one does harm. */
  async function watched(
    t: TestContext,
    part: string,
    images: number,
  ): Promise<{ counts: Record<string, number>; hung: number[] }> {
    const counts: Record<string, number> = {};
    const sound = await smallImage();
    let next = 0;
    const hung: number[] = [];
    while (next < images) {
      const child = startChild(fileURLToPath(import.meta.url), part, String(next), String(images));
      let seen = next;
      const ended = child.ended.then(() => true);
      await child.says((line) => line === "begun");
      for (let [had, silent] = [0, 0]; !(await Promise.race([ended, tryOut(sound).then(() => false)])); silent += 1) {
        if (child.lines.length > had) [had, silent] = [child.lines.length, 0];
        if (silent > IMAGES_OF_SILENCE) await child.kill();
      }
      for (const line of child.lines.slice(1)) {
        const [seed, outcome] = line.split(" ") as [string, string];
        assert.notEqual(outcome, "HARM", line);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
        seen = Number(seed) + 1;
      }
      if (seen < images) {
        assert.equal(child.process.signalCode, "SIGKILL", `image ${seen} has ended the process: ${child.lines.at(-1)}`);
        hung.push(seen);
        seen += 1;
      }
      next = seen;
    }
    t.diagnostic(`${JSON.stringify(counts)}; hung: ${hung.join(" ") || "none"}`);
    return { counts, hung };
  }
}

const OPTIONS = {
  timeout: 300,
  stdout: () => {},
  stderr: () => {},
  functions: { "app.log": () => {}, other: () => {} },
};

/** Restores it and lets it do this and that. What became of it; throws when that is none of what may be. */
async function tryOut(image: Uint8Array<ArrayBuffer>): Promise<string> {
  let lua: Lua;
  try {
    lua = await Lua.restore(image, { ...OPTIONS, tables: "image" });
  } catch (error) {
    if (error instanceof LuaError) return `refused-${error.name}`;
    throw error;
  }
  for (const task of lua.restored?.tasks ?? [])
    task.result.catch((error: unknown) => {
      if (!(error instanceof LuaError)) throw error;
    });
  let failures = 0;
  for (const code of EXERCISES) {
    try {
      lua.evalAll(code);
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      failures += 1;
      if (error.kind === "bug") {
        await settled();
        await lua.close({ discard: true });
        return "died";
      }
    }
  }
  try {
    lua.gc();
    const again = lua.snapshot();
    await (await Lua.restore(again, { timeout: 300 })).close({ discard: true });
  } catch (error) {
    if (!(error instanceof LuaError)) throw error;
  }
  await pause(8);
  await lua.close({ discard: true });
  return failures === 0 ? "alive" : "failing";
}

/**
 * Tries out images with damaged pages, or without one of them, in a process of its own, which may be killed.
 * Writes one line for each image: what became of it.
 */
async function tryMany(damage: "corrupt" | "cut", from: number, to: number): Promise<void> {
  console.error = () => {};
  const image = await smallImage();
  const parts = await unpacked(image);
  const canary = await Lua.create({ functions: { twice: (x: number) => 2 * x } });
  canary.eval("secret = { 'kept' } ext.table('c').n = 0");
  const prototypes = [Object.prototype, Array.prototype, Function.prototype].map((p) => Reflect.ownKeys(p).length);
  let unheard: unknown;
  process.on("unhandledRejection", (error) => (unheard = error));
  writeSync(1, "begun\n");
  for (let seed = from; seed < to; seed++) {
    const pages =
      damage === "cut" ? parts.pages.filter((_, at) => at !== seed) : corrupted(parts.pages, new Random(seed));
    let outcome: string;
    try {
      outcome = await tryOut(putTogether({ ...parts, pages }));
      const kept = canary.evalAll("local c = ext.table('c') c.n = c.n + 1 return secret[1], twice(21)");
      if (kept[0] !== "kept" || kept[1] !== 42) outcome = "HARM the canary";
      const now = [Object.prototype, Array.prototype, Function.prototype].map((p) => Reflect.ownKeys(p).length);
      if (String(now) !== String(prototypes)) outcome = "HARM a prototype";
      if (unheard !== undefined) outcome = `HARM unheard ${(unheard as Error)?.stack?.replaceAll("\n", " ")}`;
    } catch (error) {
      outcome = `HARM ${(error as Error)?.stack?.replaceAll("\n", " ")}`;
    }
    unheard = undefined;
    process.stdout.write(`${seed} ${outcome}\n`);
  }
  if (canary.table("c").get("n") !== to - from) process.stdout.write(`${to} HARM count\n`);
  process.exit(0);
}

function corrupted(sound: Parts["pages"], random: Random): Parts["pages"] {
  const pages = sound.map((page) => ({ ...page, bytes: page.bytes.slice() }));
  const changes = random.pick([1, 3, 10, 100, 1000]);
  for (let i = 0; i < changes; i++) {
    const { bytes } = random.pick(pages);
    const view = new DataView(bytes.buffer);
    const at = 4 * random.below(PAGE_BYTES / 4);
    random.pick([
      () => view.setUint8(at, view.getUint8(at) ^ (1 << random.below(8))),
      () => view.setUint32(at, view.getUint32(at, true) ^ (1 << random.below(32)), true),
      () => view.setUint32(at, random.below(2 ** 32), true),
      () => view.setUint32(at, random.pick([0, 1, 0xffffffff, 0x7fffffff, 0x80000000]), true),
      () => view.setUint32(at, view.getUint32(at, true) + random.pick([4, 8, -4, 16]), true),
      () => bytes.copyWithin(at, 4 * random.below(PAGE_BYTES / 4 - 16), 64),
    ])();
  }
  return pages;
}
