/**
 * Random programs over a store against a model that is too simple to be wrong: plain Maps. In between commits
 * fail, others are torn by writes that come while they run, the program dies and starts again from what is
 * committed, and somebody reads along.
 *
 * What is on disk is always the world after some batch, never an older one than before, and never older than
 * the last flush.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Changes } from "#js/storage/changes.js";
import { openStore } from "#js/storage/open_store.js";
import { TableStore } from "#js/storage/table_store.js";
import { Random, settled } from "./helpers.ts";
import { RecordBackend, contents, image, type Contents } from "./record_backend.ts";

const SEQUENCES = 10_000;
const STEPS = 40;

/** Tables as Maps, whose order is that of insertion; a transaction is a copy. */
class Model {
  tables = new Map<string, Map<string, string>>();
  saved: Map<string, Map<string, string>>[] = [];

  begin(): void {
    this.saved.push(new Map([...this.tables].map(([name, table]) => [name, new Map(table)])));
  }

  rollback(): void {
    this.tables = this.saved.pop() ?? this.tables;
  }

  table(name: string): Map<string, string> {
    let table = this.tables.get(name);
    if (table === undefined) this.tables.set(name, (table = new Map()));
    return table;
  }

  image(): string {
    return sorted(new Map([...this.tables].map(([name, table]) => [name, [...table]])));
  }
}

/**
 * Comparable. The order of tables is that of their making, which the model's Map does not know after a roll
 * back.
 */
function sorted(all: Contents): string {
  return JSON.stringify([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Small ones, some that just do or do not fit into a page, now and then one of several parts. */
function randomText(random: Random, step: number): string {
  switch (random.below(40)) {
    case 0:
      return `${step}`.padEnd(1000 + random.below(50), "x");
    case 1:
      return "\0\x80\xff";
    default:
      return `v${step}`;
  }
}

class Sequence {
  random;
  model = new Model();
  backend = new RecordBackend();
  store = new TableStore();
  /** The worlds that may be on disk: after each batch since the last that surely is. */
  worlds = ["[]"];
  keys;
  follower: TableStore | undefined;
  told: Map<string, Map<string, string>> | undefined;

  constructor(readonly seed: number) {
    this.random = new Random(seed);
    this.keys = this.random.pick([3, 30, 200]);
  }

  async run(): Promise<void> {
    const { random } = this;
    await this.start();
    for (let step = 0; step < STEPS; step++) {
      const much = random.below(12) === 0 ? 100 : 4;
      for (let i = random.below(much); i >= 0; i--) this.operation(step);
      this.endBatch();
      await this.interlude();
    }
    this.backend.fails = () => false;
    await settled();
    await this.store.flush();
    assert.equal(sorted(contents(await openStore(this.backend))), this.model.image(), `seed ${this.seed}`);
    assert.equal(sorted(contents(this.store)), this.model.image(), `seed ${this.seed}`);
    if (this.follower !== undefined) assert.equal(image(this.follower), image(this.store), `seed ${this.seed}`);
    await settled();
    for (const [name, entries] of this.told ?? []) {
      const there = this.model.tables.get(name) ?? new Map<string, string>();
      assert.deepEqual(
        [...entries].sort(([a], [b]) => (a < b ? -1 : 1)),
        [...there].sort(([a], [b]) => (a < b ? -1 : 1)),
        `seed ${this.seed}: what the reader was told`,
      );
    }
    await this.store.close();
  }

  /** Opens what is on disk, which nobody has looked into yet. */
  async start(): Promise<void> {
    const { random, backend } = this;
    const failing = random.pick([0, 0, 3]);
    backend.fails = () => failing > 0 && random.below(failing) === 0;
    // A commit under way gives the program its turn, which may change what is not yet taken.
    if (random.below(2) === 0) backend.between = () => (random.below(4) === 0 ? settled() : undefined);
    this.store = await openStore(backend);
    this.store.on("storage-error", () => {});
    this.follower = random.below(3) === 0 ? await backend.follower() : undefined;
    this.told = undefined;
    this.follower?.on("storage-error", (error) => assert.fail(error as Error));
    // What it is told must lead from what it had to what it has.
    if (this.follower !== undefined && random.below(2) === 0) this.listen(this.follower);
  }

  /** A reader that is never looked into: it knows only what it is told. */
  listen(follower: TableStore): void {
    // Unpacked only by listening.
    this.told = new Map([...JSON.parse(this.worlds[0] as string)].map(([name, entries]) => [name, new Map(entries)]));
    const told = this.told;
    follower.on("change", ({ list }: Changes) => {
      for (const { table: name, key, old, new: value } of list) {
        let table = told.get(name);
        if (table === undefined) told.set(name, (table = new Map()));
        assert.equal(table.get(key), old, `seed ${this.seed}: what it was`);
        if (value === undefined) table.delete(key);
        else table.set(key, value);
      }
    });
  }

  operation(step: number): void {
    const { random, model, store } = this;
    const name = random.pick(["a", "b", "c"]);
    const key = `k${random.below(this.keys)}`;
    switch (random.below(24)) {
      case 0:
        assert.equal(store.drop(name), model.tables.delete(name));
        break;
      case 1:
        store.open(name).clear();
        model.table(name).clear();
        break;
      case 2:
        store.begin();
        model.begin();
        break;
      case 3:
        if (model.saved.pop() === undefined) assert.throws(() => store.commit());
        else store.commit();
        break;
      case 4:
        if (model.saved.length === 0) assert.throws(() => store.rollback());
        else store.rollback();
        model.rollback();
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        assert.equal(store.open(name).remove(key), model.table(name).delete(key));
        break;
      case 9:
        assert.equal(store.open(name).get(key), model.table(name).get(key));
        break;
      default: {
        const value = randomText(random, step);
        store.open(name).set(key, value);
        model.table(name).set(key, value);
      }
    }
  }

  /** Rolls back what is open. */
  endBatch(): void {
    const { model, store } = this;
    while (model.saved.length > 0) model.rollback();
    store.endBatch();
    const world = model.image();
    if (this.random.below(8) === 0) assert.equal(sorted(contents(store)), world, `seed ${this.seed}`);
    this.worlds.push(world);
  }

  async interlude(): Promise<void> {
    switch (this.random.below(10)) {
      case 0:
      case 1:
        await settled();
        return this.check();
      case 2: {
        const flushed = await this.store.flush().then(
          () => true,
          () => false,
        );
        return this.check(flushed);
      }
      case 3:
        return this.crash();
    }
  }

  /** Checks that the disk has one of the worlds that may be there; older ones may not, from now on. */
  async check(flushed = false, disk: RecordBackend = this.backend.survivor()): Promise<void> {
    const world = sorted(contents(await openStore(disk)));
    if (flushed) assert.equal(world, this.worlds.at(-1), `seed ${this.seed}: what was flushed`);
    // The first that is alike: there may be others, later.
    const at = flushed ? this.worlds.length - 1 : this.worlds.indexOf(world);
    assert.notEqual(at, -1, `seed ${this.seed}: a world between two batches`);
    this.worlds.splice(0, at);
  }

  /** The program dies, perhaps in the middle of a commit, and starts again with what is on disk. */
  async crash(): Promise<void> {
    const disk = this.backend.survivor();
    await this.check(false, disk);
    // The dead have no timers.
    void this.store.close({ discard: true });
    this.backend = disk;
    await this.start();
    this.model.tables = new Map(
      JSON.parse(this.worlds[0] as string).map(([name, entries]: [string, [string, string][]]) => [
        name,
        new Map(entries),
      ]),
    );
    this.worlds.length = 1;
  }
}

suite("random programs", () => {
  test(`${SEQUENCES} sequences with failures, crashes and somebody who reads along`, async () => {
    for (let seed = 1; seed <= SEQUENCES; seed++) await new Sequence(seed).run();
  });
});
