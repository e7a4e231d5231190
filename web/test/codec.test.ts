/** The codec: the vectors that Rust reads too, then what no list of examples reaches. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LuaError } from "../src/errors.ts";
import {
  bytesOf,
  decode,
  decodeList,
  encode,
  evaluate,
  hexOf,
  Random,
  randomValue,
  vectors,
  written,
} from "./helpers.ts";

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

suite("what belongs to the host", () => {
  test("comes back as it went, by its id", () => {
    const fn = () => 1;
    const error = new Error("x");
    const bytes = encode([fn, fn, error]);
    const id = bytes[10] as number;
    assert.equal(hexOf(bytes.subarray(9, 9 + 11)), `0a${id.toString(16).padStart(2, "0")}00000002000000666e`);
    assert.deepEqual(decode(bytes), [fn, fn, error]);
    // As Lua says it: without a name.
    assert.equal(decode(bytesOf(`0a ${id.toString(16).padStart(2, "0")}000000 00000000`)), fn);
  });

  test("is refused by any other id, and as what it is not", () => {
    const id = (encode(() => 1)[1] as number).toString(16).padStart(2, "0");
    for (const hex of [
      `0b ${id}000000 00000000`,
      "0a 00000000 00000000",
      "0a ff000000 00000000",
      `0a ${id}000000 01000000`,
    ]) {
      assert.throws(
        () => decode(bytesOf(hex)),
        (error) => error instanceof LuaError && error.kind === "value",
      );
    }
  });

  test("null is null, and no key", () => {
    assert.equal(decode(bytesOf("0c")), null);
    assert.deepEqual(decode(bytesOf("05 01000000 00000000 0c")), [null]);
    assert.deepEqual(decode(bytesOf("05 00000000 01000000 04 01000000 61 0c")), { a: null });
    assert.equal(hexOf(encode(null)), "00");
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
    const bytes = written((encoder) => encoder.list([shared, [shared], shared]));
    const list = decodeList(bytes);
    assert.deepEqual(list, [{ a: 1 }, [{ a: 1 }], { a: 1 }]);
    assert.equal(list[0], list[2]);
    assert.equal((list[1] as unknown[])[0], list[0]);
  });

  test("a list that is too short or too long is refused", () => {
    for (const hex of ["01000000", "00000000 00", "ffffffff 00"]) {
      const bytes = bytesOf(hex);
      assert.throws(() => decodeList(bytes), LuaError);
    }
  });

  test("a list may stand anywhere in a larger buffer", () => {
    const bytes = bytesOf("ffff 01000000 01 01 ffff");
    assert.deepEqual(decodeList(bytes.subarray(1), 1, 7), [true]);
  });

  test("a function that a list has twice is one", () => {
    const bytes = bytesOf("02000000 08 07000000 08 07000000");
    const [first, second] = decodeList(bytes);
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

  test("names of every length that differ in one place only are different names", () => {
    for (let round = 0; round < 2; round++) {
      for (let length = 0; length <= 40; length++) {
        const plain = "x".repeat(length);
        const names = [plain];
        for (let at = 0; at < length; at++) {
          for (const letter of ["y", "\0", "é", "\u20ac"])
            names.push(plain.slice(0, at) + letter + plain.slice(at + 1));
        }
        // Small tables, and one large one; bytes of the same length that are no text are a Map's.
        for (const name of names) assert.deepStrictEqual(decode(encode({ [name]: name })), { [name]: name });
        const all = Object.fromEntries(names.map((name) => [name, name]));
        assert.deepStrictEqual(decode(encode(all)), all);
        const bytes = new Uint8Array(length + 1).fill(0xff, length).fill(0x78, 0, length);
        assert.deepStrictEqual([...(decode(encode(new Map([[bytes, 1]]))) as Map<unknown, unknown>).keys()], [bytes]);
      }
    }
  });

  test("large and small tables are plain objects, and __proto__ is a name in both", () => {
    for (const count of [0, 1, 16, 17, 100, 1000]) {
      const given = JSON.parse(
        `{"__proto__": 1${Array.from({ length: count }, (_, i) => `, "k${i}": ${i}`).join("")}}`,
      );
      const got = decode(encode(given)) as object;
      assert.equal(Object.getPrototypeOf(got), Object.prototype);
      assert.deepStrictEqual(Object.entries(got), Object.entries(given));
      const array = Array.from({ length: count + 1 }, (_, i) => (i % 7 === 6 ? "text" : i / 2));
      assert.deepStrictEqual(decode(encode(array)), array);
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

  test("a table in a table in a table ... that each turn out to be maps is read twice, and no more", (t) => {
    // Each table refers to itself before a key shows that it is no record: the case that is read twice.
    let hex = "06 00000000";
    for (let depth = 199; depth >= 0; depth--) {
      const me = `04 01000000 61 06 ${depth.toString(16).padStart(2, "0")}000000`;
      hex = `05 00000000 03000000 ${me} 04 01000000 62 ${hex} 01 01 01 01`;
    }
    const bytes = bytesOf(hex);
    let numbers = 0;
    const { getUint32 } = DataView.prototype;
    // Not by `t.mock`, which keeps a stack of each call.
    t.after(() => (DataView.prototype.getUint32 = getUint32));
    DataView.prototype.getUint32 = function (...at) {
      numbers += 1;
      return getUint32.apply(this, at);
    };
    const value = decode(bytes) as Map<unknown, unknown>;
    assert.ok(value instanceof Map);
    assert.equal(value.get("a"), value);
    let [table, depth] = [value, 0];
    do {
      assert.equal(table.get("a"), table, `table ${depth++}`);
      table = table.get("b") as Map<unknown, unknown>;
    } while (table !== value);
    assert.equal(depth, 200);
    // Each table has six: its counts, and the lengths and number in its pairs. All of them could be read once
    // more for each table around (200 times), or twice in each of those (2^200).
    assert.ok(numbers > 1000 && numbers < 2 * 1300, `${numbers} numbers were read`);
  });
});

function readOrRefuse(bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof LuaError && error.kind === "value")) throw error;
  }
}
