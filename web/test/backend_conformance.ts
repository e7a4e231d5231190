/**
 * The contract of a backend, as checks that any of them passes. Runs in pages, too: knows no test runner and
 * nothing of Node; a check that fails throws.
 */
import type { Backend } from "#js/storage/write_behind.js";

/** One place for records, empty at first. */
export interface Place {
  /** Opens it; never while it is open. */
  open(): Promise<Backend>;
  cleanUp(): Promise<void>;
}

type Change = readonly [key: string, bytes: Uint8Array | null];
type Records = Map<string, Uint8Array>;

/** The checks, each with a place of its own. */
export function backendConformance(make: () => Promise<Place>): [name: string, check: () => Promise<void>][] {
  return Object.entries(checks).map(([name, check]) => [
    name,
    async () => {
      const place = await make();
      try {
        await check(place);
      } finally {
        await place.cleanUp();
      }
    },
  ]);
}

const checks: Record<string, (place: Place) => Promise<void>> = {
  async "is empty at first"(place) {
    const backend = await place.open();
    same(await recordsOf(backend), new Map());
    await backend.close();
    await holds(place, new Map());
  },

  async "keeps what is committed, whatever the order"(place) {
    const records: Records = new Map(["b", "a", "c"].map((key) => [key, text(`value of ${key}`)]));
    await commitAll(place, [[...records], [], [["d", text("later")]]]);
    await holds(place, records.set("d", text("later")));
  },

  async "overwrites and removes"(place) {
    await commitAll(place, [
      [
        ["kept", text("old and long")],
        ["gone", text("x")],
        ["back", text("1")],
      ],
      [
        ["kept", text("new")],
        ["gone", null],
        ["never there", null],
      ],
      [["back", null]],
      [["back", text("2")]],
    ]);
    await holds(
      place,
      new Map([
        ["kept", text("new")],
        ["back", text("2")],
      ]),
    );
  },

  async "commits nothing without complaint"(place) {
    const backend = await place.open();
    await backend.commit([]);
    await backend.commit([["missing", null]]);
    await backend.close();
    await holds(place, new Map());
  },

  async "keeps any bytes, and none"(place) {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const records: Records = new Map([
      ["all", all],
      ["none", new Uint8Array(0)],
      ["zeros", new Uint8Array(1000)],
      ["part", new Uint8Array([9, 1, 2, 9]).subarray(1, 3)],
    ]);
    await commitAll(place, [[...records]]);
    await holds(place, records);
  },

  async "takes every key of ASCII up to 64 characters"(place) {
    const keys = ["0", "~", " ", "__proto__", "constructor", "a/b", "\x01\x7f", "k".repeat(64), "K".repeat(64)];
    const records: Records = new Map(keys.map((key) => [key, text(key)]));
    await commitAll(place, [[...records]]);
    await holds(place, records);
  },

  async "keeps a large record among small ones"(place) {
    const large = noise(8 * 1024 * 1024 + 3);
    await commitAll(place, [
      [
        ["before", text("1")],
        ["large", large.slice()],
        ["behind", text("2")],
      ],
    ]);
    await holds(
      place,
      new Map([
        ["before", text("1")],
        ["large", large],
        ["behind", text("2")],
      ]),
    );
  },

  async "keeps many records of one commit"(place) {
    const records: Records = new Map(Array.from({ length: 20_000 }, (_, n) => [`key ${n}`, text(`value ${n}`)]));
    await commitAll(place, [records]);
    const backend = await place.open();
    same(await recordsOf(backend), records);
    const half = [...records.keys()].filter((_, n) => n % 2 === 0);
    for (const key of half) records.delete(key);
    await backend.commit(half.map((key) => [key, null] as const));
    await backend.close();
    await holds(place, records);
  },

  async "pulls the changes to their end, once, and owns what it gets"(place) {
    const backend = await place.open();
    let pulled = 0;
    let begun = 0;
    const changes = {
      *[Symbol.iterator](): Generator<Change> {
        begun += 1;
        for (; pulled < 3000; pulled += 1) yield [`k${pulled}`, new Uint8Array(2500).fill(pulled)];
      },
    };
    await backend.commit(changes);
    check(begun === 1 && pulled === 3000, `begun ${begun} times, pulled ${pulled}`);
    await backend.close();
    await holds(place, new Map(Array.from({ length: 3000 }, (_, n) => [`k${n}`, new Uint8Array(2500).fill(n)])));
  },

  async "commits nothing when pulling throws, and says why"(place) {
    const backend = await place.open();
    await backend.commit([
      ["a", text("1")],
      ["b", text("1")],
    ]);
    const oops = new Error("oops");
    for (const after of [0, 1, 5000]) {
      const failing = function* (): Generator<Change> {
        yield ["b", null];
        for (let n = 0; n < after; n += 1) yield [`n${n}`, new Uint8Array(1000)];
        throw oops;
      };
      const cause = await backend.commit(failing()).then(
        () => undefined,
        (error: unknown) => error,
      );
      check(cause === oops, `rejects with what was thrown, not with ${String(cause)}`);
    }
    await backend.commit([["a", text("2")]]);
    await backend.close();
    await holds(
      place,
      new Map([
        ["a", text("2")],
        ["b", text("1")],
      ]),
    );
  },

  async "rejects with what the visitor throws"(place) {
    await commitAll(place, [[["a", text("1")]]]);
    const backend = await place.open();
    const oops = new Error("oops");
    const cause = await backend
      .load(() => {
        throw oops;
      })
      .catch((error: unknown) => error);
    check(cause === oops, `rejects with what was thrown, not with ${String(cause)}`);
    same(await recordsOf(backend), new Map([["a", text("1")]]));
    await backend.close();
  },

  async "says how far it is"(place) {
    await commitAll(place, [Array.from({ length: 50 }, (_, n) => [`k${n}`, noise(100_000)] as const)]);
    const backend = await place.open();
    let last = 0;
    await backend.load(
      () => {},
      (done, total) => {
        check(done >= last && done <= total, `${done} of ${total} after ${last}`);
        last = done;
      },
    );
    await backend.close();
  },

  async "agrees with a map after any commits and openings"(place) {
    const random = new Numbers(7);
    const model: Records = new Map();
    let backend = await place.open();
    for (let round = 0; round < 150; round += 1) {
      const changes = new Map<string, Uint8Array | null>();
      for (let n = random.below(12); n > 0; n -= 1) {
        const size = random.below(10) === 0 ? random.below(60_000) : random.below(40);
        changes.set(`k${random.below(40)}`, random.below(3) === 0 ? null : noise(size, random.below(1e9)));
      }
      if (random.below(8) === 0) {
        const broken = function* (): Generator<Change> {
          yield* changes;
          throw new Error("broken");
        };
        await backend.commit(broken()).catch(() => {});
      } else {
        await backend.commit(changes);
        for (const [key, bytes] of changes) {
          if (bytes === null) model.delete(key);
          else model.set(key, bytes.slice());
        }
      }
      if (random.below(10) === 0) {
        await backend.close();
        backend = await place.open();
        same(await recordsOf(backend), model);
      }
    }
    await backend.close();
    await holds(place, model);
  },
};

/** Returns the committed records. */
export async function recordsOf(backend: Pick<Backend, "load">): Promise<Records> {
  const records: Records = new Map();
  await backend.load((key, bytes) => {
    check(!records.has(key), `${key} was visited twice`);
    records.set(key, bytes);
  });
  return records;
}

async function commitAll(place: Place, commits: Iterable<Change>[]): Promise<void> {
  const backend = await place.open();
  for (const changes of commits) await backend.commit(changes);
  await backend.close();
}

/** Opens it twice: the first time must not change it. */
async function holds(place: Place, expected: Records): Promise<void> {
  for (let i = 0; i < 2; i += 1) {
    const backend = await place.open();
    same(await recordsOf(backend), expected);
    await backend.close();
  }
}

export function same(records: Records, expected: Records): void {
  const missing = [...expected.keys()].filter((key) => !records.has(key));
  check(missing.length === 0, `missing: ${missing.slice(0, 5).join()}`);
  for (const [key, bytes] of records) {
    const wanted = expected.get(key);
    check(wanted !== undefined, `${key} should not be there`);
    check(equal(bytes, wanted), `${key} is not what was committed`);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

function text(of: string): Uint8Array {
  return new TextEncoder().encode(of);
}

/** Bytes that look random and are the same every time. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed >>> 0) | 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }
}
