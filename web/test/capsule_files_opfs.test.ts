/**
 * Files of a database in a pool of handles: against a model, with workers that die at any operation, power
 * cuts, heads that are torn, and quotas.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { FailureCode } from "../src/capsule/files.ts";
import { HEAD_BYTES, NAME_BYTES_MAX, OpfsFiles } from "../src/capsule/files_opfs.ts";
import { FakeFolder, type Refusal } from "./fake_opfs.ts";
import { FileCaller, RandomProgram, type Model, type Step } from "./file_caller.ts";
import { Random } from "./random.ts";

const NAMES = ["app.db", "app.db-wal", "app.db-journal", "größer.db"];
const SMALL = { spare: 4, reserveBytes: 8192, growthStep: () => 0 };

const opened = async (folder: FakeFolder, options: object = SMALL) =>
  new FileCaller(await OpfsFiles.open(folder, options));
const pool = (caller: FileCaller) => caller.files as OpfsFiles;

/** Runs a program until a step fails, and returns that. */
function runUntilDeath(program: RandomProgram, steps: number): Step | undefined {
  for (let i = 0; i < steps; i++) {
    const step = program.next();
    if (step.run() < 0) return step;
    step.apply();
  }
  return undefined;
}

suite("a pool", () => {
  test("does what files do", async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed);
      const folder = new FakeFolder();
      const model: Model = new Map();
      let caller = await opened(folder);
      for (let round = 0; round < 3; round++) {
        const program = new RandomProgram(caller, model, random, NAMES);
        assert.equal(runUntilDeath(program, 60), undefined, `seed ${seed}`);
        program.check();
        pool(caller).dispose();
        caller = await opened(folder);
        new RandomProgram(caller, model, random, NAMES).check();
        assert.deepEqual(pool(caller).names.sort(), [...model.keys()].sort());
      }
    }
  });

  test("holds what was done when its worker dies, and half a step at most", async () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Random(seed);
      const folder = new FakeFolder();
      const model: Model = new Map();
      const caller = await opened(folder);
      folder.lifetime = 1 + random.below(60);
      const program = new RandomProgram(caller, model, random, NAMES);
      const last = runUntilDeath(program, 200);
      assert.notEqual(last, undefined);
      folder.die();
      const again = await opened(folder);
      for (const name of NAMES) {
        const found = again.contents(name);
        if (name !== last?.name) {
          assert.deepEqual(found, model.get(name), `seed ${seed}: ${name}`);
        } else if (last.operation === "open" || last.operation === "remove") {
          // There or not there. One that was being made is empty.
          const before = model.get(name) ?? new Uint8Array(0);
          if (found !== undefined) assert.deepEqual(found, before, `seed ${seed}: ${name}`);
        } else {
          assert.notEqual(found, undefined, `seed ${seed}: ${name}`);
        }
      }
      for (const name of pool(again).names) assert.ok(NAMES.includes(name), `seed ${seed}: ${name}`);
      assert.equal(new Set(pool(again).names).size, pool(again).names.length);
    }
  });

  test("holds after a power cut what was synced, under its name and no other", async () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Random(seed);
      const folder = new FakeFolder();
      const model: Model = new Map();
      const synced: Model = new Map();
      const caller = await opened(folder);
      const program = new RandomProgram(caller, model, random, NAMES);
      for (let i = random.below(80); i > 0; i--) {
        const step = program.next();
        assert.ok(step.run() >= 0);
        const isNew = step.operation === "open" && !model.has(step.name);
        step.apply();
        // Names are on the disk at once, or a removed log could come back.
        if (step.operation === "remove") synced.delete(step.name);
        if (step.operation === "sync" || isNew) synced.set(step.name, (model.get(step.name) as Uint8Array).slice());
      }
      folder.cutPower(random);
      const again = await opened(folder);
      assert.deepEqual(pool(again).names.sort(), [...model.keys()].sort(), `seed ${seed}`);
      for (const name of model.keys()) {
        const found = Buffer.from(again.contents(name) as Uint8Array);
        const candidates = [synced.get(name), model.get(name)] as Uint8Array[];
        assert.ok(
          candidates.some((bytes) => found.equals(bytes)),
          `seed ${seed}: ${name}`,
        );
      }
    }
  });

  test("takes a head that is not whole for that of a free slot", async () => {
    const folder = new FakeFolder();
    const caller = await opened(folder);
    const file = caller.open("app.db");
    assert.equal(caller.write(file, new Uint8Array([1, 2, 3]), 0), 0);
    pool(caller).dispose();
    const slot = [...folder.files.values()].find(({ bytes }) => bytes.length > HEAD_BYTES);
    assert.ok(slot);
    const whole = slot.bytes.slice();
    for (let at = 0; at < HEAD_BYTES; at += at < 64 ? 1 : 97) {
      slot.bytes = whole.slice();
      slot.bytes[at] = (slot.bytes[at] as number) ^ 0x10;
      const again = await opened(folder);
      assert.deepEqual(pool(again).names, [], `byte ${at}`);
      // What was in it is not what a new file begins with.
      const made = again.open("other.db");
      assert.equal(again.files.size(made), 0);
      assert.equal(again.remove("other.db"), 0);
      pool(again).dispose();
    }
    slot.bytes = whole;
    assert.deepEqual((await opened(folder)).contents("app.db"), new Uint8Array([1, 2, 3]));
  });

  test("has the newer of two files of one name", async () => {
    const folder = new FakeFolder();
    const caller = await opened(folder);
    assert.equal(caller.write(caller.open("a"), new Uint8Array([1]), 0), 0);
    const old = [...folder.files.values()].find(({ bytes }) => bytes.length > HEAD_BYTES)?.bytes.slice();
    assert.ok(old);
    assert.equal(caller.remove("a"), 0);
    assert.equal(caller.write(caller.open("a"), new Uint8Array([2]), 0), 0);
    folder.die();
    // One slot before, one after the newer one.
    for (const name of ["slot-8", "slot-9"]) {
      await folder.getFileHandle(name, { create: true });
      const file = folder.files.get(name);
      assert.ok(file);
      file.bytes = old.slice();
    }
    const first = folder.files.get("slot-8");
    assert.ok(first);
    folder.files.delete("slot-8");
    const others = [...folder.files];
    folder.files.clear();
    for (const [name, file] of [["slot-8", first] as const, ...others]) folder.files.set(name, file);
    const again = await opened(folder);
    assert.deepEqual(again.contents("a"), new Uint8Array([2]));
    assert.deepEqual(pool(again).names, ["a"]);
    pool(again).dispose();
    assert.deepEqual((await opened(folder)).contents("a"), new Uint8Array([2]));
  });

  test("opens with slots that have no room for a head", async () => {
    const folder = new FakeFolder();
    const caller = await opened(folder);
    assert.ok(caller.open("a") > 0);
    pool(caller).dispose();
    await folder.getFileHandle("slot-20", { create: true });
    folder.quota = folder.usage;
    assert.deepEqual(pool(await opened(folder)).names, ["a"]);
  });
});

suite("room in a pool", () => {
  for (const refusal of ["exception", "short", "wrapped"] as Refusal[]) {
    test(`a write that finds none is full, and the reserve is given up for it (${refusal})`, async () => {
      const folder = new FakeFolder();
      folder.refusal = refusal;
      const caller = await opened(folder);
      assert.ok(pool(caller).hasReserve);
      folder.quota = folder.usage + 20_000;
      const database = caller.open("app.db");
      const file = caller.open("app.db-wal");
      let offset = 0;
      while (caller.write(file, new Uint8Array(4000), offset) === 0) offset += 4000;
      assert.equal(offset, 20_000);
      const failure = pool(caller).takeFailure();
      assert.equal(failure?.code, FailureCode.full);
      assert.equal(failure?.operation, "write");
      assert.equal(pool(caller).takeFailure(), undefined);
      assert.equal(pool(caller).hasReserve, false);
      // So that what makes room has room for its log.
      assert.equal(caller.write(database, new Uint8Array(8000), 0), 0);
      await pool(caller).replenish();
      assert.equal(pool(caller).hasReserve, false);
      assert.equal(caller.files.truncate(file, 0), 0);
      pool(caller).dispose();
      const again = await opened(folder);
      assert.ok(pool(again).hasReserve, "there is room again");
      assert.equal(again.files.size(again.open("app.db")), 8000);
    });
  }

  test("a database that finds none leaves the reserve alone, for its checkpoint is tried again", async () => {
    const folder = new FakeFolder();
    const caller = await opened(folder);
    folder.quota = folder.usage + 20_000;
    const database = caller.open("app.db");
    assert.equal(caller.write(database, new Uint8Array(30_000), 0), FailureCode.full);
    assert.ok(pool(caller).hasReserve);
  });

  test("the reserve grows with the files, as far as there is room", async () => {
    const folder = new FakeFolder();
    const reserved = () => folder.files.get("reserve")?.bytes.length;
    const caller = await opened(folder, { reserveBytes: 1000, growthStep: (size: number) => size });
    const first = reserved() as number;
    const file = caller.open("app.db");
    assert.equal(caller.write(file, new Uint8Array(50_000), 0), 0);
    assert.equal(reserved(), 1000 + HEAD_BYTES + 50_000);
    assert.ok(first < 10_000);
    folder.quota = folder.usage + 60_000;
    assert.equal(caller.write(file, new Uint8Array(60_000), 50_000), 0);
    assert.equal(reserved(), 1000 + HEAD_BYTES + 50_000, "there was no room for more");
    assert.ok(pool(caller).hasReserve);
    assert.equal(pool(caller).takeFailure(), undefined);
  });

  test("a database opens where there is none, once it has been open", async () => {
    const folder = new FakeFolder();
    const caller = await opened(folder);
    assert.ok(caller.open("app.db") > 0);
    pool(caller).dispose();
    folder.quota = folder.usage;
    const again = await opened(folder);
    for (const name of ["app.db", "app.db-wal", "app.db-journal"]) assert.ok(again.open(name) > 0, name);
    assert.ok(pool(again).hasReserve);
  });

  test("a pool opens in a folder without any, and refuses files", async () => {
    const folder = new FakeFolder();
    folder.quota = 3 * HEAD_BYTES;
    const caller = await opened(folder);
    assert.equal(pool(caller).hasReserve, false);
    const ids = ["a", "b", "c", "d", "e"].map((name) => caller.open(name));
    assert.equal(ids.filter((id) => id > 0).length >= 3, true);
    assert.equal(ids.at(-1), FailureCode.full);
    folder.quota = Infinity;
    await pool(caller).replenish();
    assert.ok(caller.open("e") > 0 && pool(caller).hasReserve);
  });

  test("a lack of slots leaves the reserve alone, and more are made", async () => {
    const caller = await opened(new FakeFolder());
    const names = ["a", "b", "c", "d", "e"];
    assert.deepEqual(
      names.map((name) => caller.open(name) > 0),
      [true, true, true, true, false],
    );
    assert.equal(pool(caller).takeFailure()?.code, FailureCode.full);
    assert.ok(pool(caller).hasReserve);
    await Promise.all([pool(caller).replenish(), pool(caller).replenish()]);
    assert.ok(caller.open("e") > 0);
  });
});

suite("calls of a pool that cannot be right", () => {
  test("have codes of their own", async () => {
    const folder = new FakeFolder();
    const caller = await opened(folder);
    const { files } = caller;
    assert.equal(caller.open("missing", false), FailureCode.absent);
    assert.equal(caller.remove("missing"), FailureCode.absent);
    assert.equal(caller.exists("missing"), 0);
    assert.equal(caller.open(""), FailureCode.name);
    assert.equal(caller.open(new Uint8Array([0xff])), FailureCode.name);
    assert.equal(caller.open("x".repeat(NAME_BYTES_MAX + 1)), FailureCode.name);
    assert.ok(caller.open("x".repeat(NAME_BYTES_MAX)) > 0);
    for (const call of [
      () => files.size(99),
      () => files.sync(99),
      () => files.truncate(99, 0),
      () => files.close(99),
    ]) {
      assert.equal(call(), FailureCode.closed);
    }
    assert.equal(caller.read(99, 1, 0), FailureCode.closed);
    assert.equal(caller.write(99, new Uint8Array(1), 0), FailureCode.closed);
    const file = caller.open("a");
    // Another worker cannot have the same folder.
    await assert.rejects(OpfsFiles.open(folder, SMALL), { name: "NoModificationAllowedError" });
    assert.equal(caller.write(file, new Uint8Array(1), 0), 0);
    pool(caller).dispose();
    assert.equal(caller.write(file, new Uint8Array(1), 0), FailureCode.closed);
    assert.equal(caller.open("a"), FailureCode.closed);
    pool(caller).dispose();
  });

  test("a file that was removed while it is open stays until it is closed", async () => {
    const caller = await opened(new FakeFolder());
    const file = caller.open("a");
    assert.equal(caller.write(file, new Uint8Array([1, 2]), 0), 0);
    assert.equal(caller.remove("a"), 0);
    assert.deepEqual(caller.read(file, 5, 0), new Uint8Array([1, 2]));
    const other = caller.open("a");
    assert.equal(caller.files.size(other), 0);
    assert.equal(caller.write(other, new Uint8Array([3]), 0), 0);
    assert.deepEqual(caller.read(file, 5, 0), new Uint8Array([1, 2]));
    assert.equal(caller.files.close(file), 0);
    assert.deepEqual(caller.contents("a"), new Uint8Array([3]));
  });
});
