/** JavaScript values on their way to Lua: the table of docs/js-api.md, as data. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { encodeKey } from "../src/codec/keys.ts";
import { toStored } from "../src/codec/encoder.ts";
import { binaryOf, bytesOf, decode, encode, evaluate, hexOf, vectors } from "./helpers.ts";

class Point {
  x = 1;
}

suite("what arrives", () => {
  const holes = [1, , 3]; // eslint-disable-line no-sparse-arrays
  const nullProto = Object.assign(Object.create(null), { a: 1 });
  const cases: [string, unknown, unknown][] = [
    ["null is nil", null, undefined],
    ["an ArrayBuffer is bytes", Uint8Array.of(255, 1).buffer, Uint8Array.of(255, 1)],
    ["a view is its part of the bytes", new DataView(Uint8Array.of(0, 255, 2, 0).buffer, 1, 2), Uint8Array.of(255, 2)],
    ["bytes that are text become text", new TextEncoder().encode("é"), "é"],
    [
      "a hole is nil",
      holes,
      new Map([
        [1, 1],
        [3, 3],
      ]),
    ],
    [
      "undefined and null in an array are nil",
      [1, undefined, null, 4],
      new Map([
        [1, 1],
        [4, 4],
      ]),
    ],
    ["trailing nils do not count", [1, undefined, undefined], [1]],
    ["an empty array stays one", [], []],
    ["an array of nothing is an empty one", [undefined, null, ,], []], // eslint-disable-line no-sparse-arrays
    ["empty arrays inside", { a: [], b: [[]] }, { a: [], b: [[]] }],
    ["undefined properties are not there", { a: undefined, b: null, c: 1 }, { c: 1 }],
    ["an object without a prototype is plain", nullProto, { a: 1 }],
    [
      "a Map of 1..n is an array",
      new Map([
        [2, "b"],
        [1, "a"],
      ]),
      ["a", "b"],
    ],
    ["a Map of text is a record", new Map([["a", 1]]), { a: 1 }],
    ["a Map without values is empty", new Map([["a", undefined]]), {}],
    ["symbols as keys do not cross", { [Symbol("s")]: 1, a: 1 }, { a: 1 }],
    ["a bigint that is small is a number", 5n, 5],
    [
      "properties of an array that are no places are ignored",
      Object.assign([1, , 3], { extra: 1, "01": 2 }),
      new Map([
        [1, 1],
        [3, 3],
      ]),
    ],
  ];
  for (const [name, value, expected] of cases) {
    test(name, () => assert.deepStrictEqual(decode(encode(value)), expected));
  }

  test("a huge array with holes is not walked place by place", () => {
    const sparse: unknown[] = [];
    sparse[4_000_000_000] = 1;
    sparse[0] = 1;
    assert.deepStrictEqual(
      decode(encode(sparse)),
      new Map([
        [1, 1],
        [4_000_000_001, 1],
      ]),
    );
  });

  test("__proto__ is a key like any other", () => {
    const value = decode(encode(JSON.parse('{"__proto__": {"polluted": 1}}'))) as Record<string, unknown>;
    assert.deepEqual(Object.keys(value), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal((value as { polluted?: unknown }).polluted, undefined);
  });

  test("objects of another realm are plain", async () => {
    const { runInNewContext } = await import("node:vm");
    assert.deepEqual(decode(encode(runInNewContext("({ a: [1, 2] })"))), { a: [1, 2] });
  });

  test("a getter may convert values itself", () => {
    const inner = {
      get deep() {
        return decode(encode({ x: [1, 2, 3] }));
      },
    };
    assert.deepEqual(decode(encode({ inner, after: 1 })), { inner: { deep: { x: [1, 2, 3] } }, after: 1 });
  });
});

suite("what is refused", () => {
  let deep: unknown[] = [];
  for (let i = 0; i < 5000; i++) deep = [deep];
  const cases: [string, unknown, RegExp, ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor][] = [
    ["a class instance", new Point(), /a Point cannot be given to Lua/, TypeError],
    ["a class instance inside", { at: [new Point()] }, /a Point cannot/, TypeError],
    [
      "a Date, with a hint",
      new Date(0),
      /a Date cannot be given to Lua; pass Math.floor\(date.getTime\(\) \/ 1000\)/,
      TypeError,
    ],
    ["a Set", new Set(), /a Set cannot/, TypeError],
    ["a RegExp", /x/, /a RegExp cannot/, TypeError],
    ["a Promise, with a hint", Promise.resolve(), /a Promise cannot be given to Lua; await it first/, TypeError],
    ["a Promise inside", { at: [Promise.resolve()] }, /await it first/, TypeError],
    ["a boxed number", new Number(1), /a Number cannot/, TypeError],
    ["an object with a prototype of its own", Object.create({ a: 1 }), /cannot be given to Lua/, TypeError],
    ["a nameless class instance", new (class {})(), /a class instance cannot/, TypeError],
    ["a symbol", Symbol("s"), /a symbol cannot/, TypeError],
    ["a class", Point, /the class Point cannot be given to Lua/, TypeError],
    ["a class of the platform", Map, /the class Map cannot/, TypeError],
    ["the way to the global object", Function, /the class Function cannot/, TypeError],
    ["a lone surrogate", "a\ud800", /lone surrogate/, TypeError],
    ["a lone surrogate in long text", "a\ud800" + "x".repeat(100), /lone surrogate/, TypeError],
    ["a lone surrogate as a key", { "\udc00": 1 }, /lone surrogate/, TypeError],
    ["2^63 as a bigint", 2n ** 63n, /does not fit/, RangeError],
    ["-2^63 - 1 as a bigint", -(2n ** 63n) - 1n, /does not fit/, RangeError],
    ["NaN as a key", new Map([[NaN, 1]]), /NaN cannot be a key/, TypeError],
    ["undefined as a key", new Map([[undefined, 1]]), /undefined cannot be a key/, TypeError],
    ["5,000 arrays in each other", deep, /nested deeper than 200/, RangeError],
  ];
  for (const [name, value, message, type] of cases) {
    test(name, () => {
      assert.throws(
        () => encode(value),
        (error) => error instanceof type && message.test(error.message),
      );
      // The encoder that failed is used again.
      assert.deepEqual(decode(encode([1, { a: 1 }])), [1, { a: 1 }]);
    });
  }

  test("functions and errors are not: they come back as they are", () => {
    for (const value of [() => 1, async () => 1, new RangeError("x"), new DOMException("x")]) {
      assert.equal(decode(encode(value)), value);
      assert.deepEqual(decode(encode([value, { a: value }])), [value, { a: value }]);
      assert.throws(() => toStored(value), /cannot be kept in an external table/);
      assert.throws(() => toStored([{ value }]), /cannot be kept in an external table/);
    }
  });

  test("an object that throws while it is read throws as it is", () => {
    const error = new Error("mine");
    assert.throws(
      () =>
        encode({
          get a(): number {
            throw error;
          },
        }),
      (thrown) => thrown === error,
    );
  });

  test("200 arrays in each other are not too deep", () => {
    let value: unknown[] = [];
    for (let i = 1; i < 200; i++) value = [value];
    assert.deepEqual(decode(encode(value)), value);
    assert.throws(() => encode([value]), RangeError);
  });

  test("depth is that of nesting, not the number of tables", () => {
    const wide = Array.from({ length: 1000 }, (_, i) => [i]);
    assert.deepEqual(decode(encode(wide)), wide);
  });
});

suite("keys of external tables", () => {
  for (const { name, js, back, hex } of vectors.keys) {
    test(name, () => {
      const binary = binaryOf(hex);
      assert.equal(encodeKey(evaluate(js)), binary);
      assert.deepStrictEqual(decode(bytesOf(hex)), evaluate(back ?? js));
    });
  }

  test("what cannot be a key is refused", () => {
    for (const key of [undefined, null, NaN, {}, [], Symbol("s"), () => 1]) {
      assert.throws(() => encodeKey(key), TypeError);
    }
    assert.throws(() => encodeKey(2n ** 63n), RangeError);
    assert.throws(() => encodeKey("\ud800"), TypeError);
  });
});

suite("what a store holds", () => {
  test("is the bytes of the value", () => {
    assert.equal(toStored("é"), binaryOf(hexOf(encode("é"))));
    assert.equal(toStored("x".repeat(100_000)).length, 100_005);
  });
});
