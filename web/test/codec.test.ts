/** The codec: the vectors that Rust reads too, then what no list of examples reaches. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LuaError } from "../src/errors.ts";
import { Reader } from "../src/reader.ts";
import { bytesOf, decode, encode, evaluate, hexOf, Random, realm, vectors, written } from "./helpers.ts";

suite("vectors", () => {
  for (const { name, js, oneway, hex } of vectors.values) {
    test(name, () => {
      const bytes = bytesOf(hex);
      const value = decode(bytes);
      if (js === undefined) return;
      const expected = evaluate(js);
      assert.deepStrictEqual(value, expected);
      if (!oneway) assert.equal(hexOf(encode(expected)), hexOf(bytes));
    });
  }

  test("values that only a VM can make are asked of it", () => {
    assert.deepEqual(decode(bytesOf("07 05000000 6e6f746573")), { external: "notes" });
    assert.deepEqual(decode(bytesOf("08 07000000")), { function: 7 });
    assert.deepEqual(decode(bytesOf("09 08 03000000")), { reference: 8, handle: 3 });
  });
});

suite("invalid bytes are refused", () => {
  for (const { name, hex } of vectors.invalid) {
    test(name, () => {
      assert.throws(
        () => decode(bytesOf(hex)),
        (error) => error instanceof LuaError && error.kind === "value",
      );
    });
  }
});

suite("lists", () => {
  test("table numbers run through the whole list", () => {
    const shared = { a: 1 };
    const bytes = written((writer) => writer.list([shared, [shared], shared]));
    const list = new Reader(bytes, 0, bytes.length, realm).list();
    assert.deepEqual(list, [{ a: 1 }, [{ a: 1 }], { a: 1 }]);
    assert.equal(list[0], list[2]);
    assert.equal((list[1] as unknown[])[0], list[0]);
  });

  test("a list that is too short or too long is refused", () => {
    for (const hex of ["01000000", "00000000 00", "ffffffff 00"]) {
      const bytes = bytesOf(hex);
      assert.throws(() => new Reader(bytes, 0, bytes.length, realm).list(), LuaError);
    }
  });

  test("a list may stand anywhere in a larger buffer", () => {
    const bytes = bytesOf("ffff 01000000 01 01 ffff");
    assert.deepEqual(new Reader(bytes.subarray(1), 1, 7, realm).list(), [true]);
  });

  test("a function that a list has twice is one", () => {
    const bytes = bytesOf("02000000 08 07000000 08 07000000");
    const [first, second] = new Reader(bytes, 0, bytes.length, realm).list();
    assert.equal(first, second);
  });
});

suite("properties", () => {
  test("any value comes back as it went, and its bytes are the same again", () => {
    const random = new Random(1);
    for (let round = 0; round < 3000; round++) {
      const value = randomValue(random, 4);
      const bytes = encode(value);
      const back = decode(bytes);
      assert.deepStrictEqual(back, value);
      assert.equal(hexOf(encode(back)), hexOf(bytes));
    }
  });

  test("random bytes are read or refused, nothing else", () => {
    const random = new Random(2);
    for (let round = 0; round < 50_000; round++) readOrRefuse(random.bytes(random.below(64)));
  });

  test("good bytes with a few wrong ones are read or refused", () => {
    const random = new Random(3);
    for (let round = 0; round < 20_000; round++) {
      const bytes = encode(randomValue(random, 4));
      for (let i = random.below(4); i >= 0; i--) bytes[random.below(bytes.length)] = random.pick([0, 1, 4, 5, 6, 255]);
      readOrRefuse(bytes.subarray(0, random.below(bytes.length + 1)));
    }
  });

  test("a table in a table in a table ... that each turn out to be maps is read in reasonable time", () => {
    // Each table refers to itself before a key shows that it is no record: the case that is read twice.
    let hex = "06 00000000";
    for (let depth = 199; depth >= 0; depth--) {
      const me = `04 01000000 61 06 ${depth.toString(16).padStart(2, "0")}000000`;
      hex = `05 00000000 03000000 ${me} 04 01000000 62 ${hex} 01 01 01 01`;
    }
    const start = performance.now();
    const value = decode(bytesOf(hex)) as Map<unknown, unknown>;
    assert.ok(value instanceof Map);
    assert.equal(value.get("a"), value);
    assert.ok(value.get("b") instanceof Map);
    assert.ok(performance.now() - start < 5000);
  });
});

function readOrRefuse(bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof LuaError && error.kind === "value")) throw error;
  }
}

const NUMBERS = [0, 1, -1, 0.5, -0, NaN, Infinity, -Infinity, 1e300, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 5e-324];
const BIGINTS = [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
const TEXTS = [
  "",
  "a",
  "1",
  "a\0b",
  "é",
  "€uro",
  "😀",
  "x".repeat(30),
  "é".repeat(30),
  "__proto__",
  "constructor",
  "\ufeff",
];

function randomValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 0 ? 8 : 5)) {
    case 0:
      return random.below(2) === 0;
    case 1:
      return random.pick(NUMBERS);
    case 2:
      return random.pick(BIGINTS);
    case 3:
      return random.pick(TEXTS);
    case 4:
      // 0xff: never UTF-8
      return Uint8Array.of(0xff, ...random.bytes(random.below(8)));
    case 5: {
      const length = 1 + random.below(4);
      return Array.from({ length }, () => randomValue(random, depth - 1));
    }
    case 6: {
      const entries = Array.from({ length: random.below(4) }, () => [
        `${random.pick(TEXTS)}${random.below(9)}`,
        randomValue(random, depth - 1),
      ]);
      return Object.fromEntries(entries);
    }
    default: {
      // One key that is neither text nor 1: it stays a Map.
      const map = new Map<unknown, unknown>([
        [random.pick([0, true, 1.5, -7, 2n ** 60n]), randomValue(random, depth - 1)],
      ]);
      for (let i = random.below(3); i > 0; i--) map.set(random.pick(TEXTS) + i, randomValue(random, depth - 1));
      return map;
    }
  }
}
