// From a change to those who follow: live queries, and watchers with filters.

import { Capsule } from "../../web/dist/capsule_node.js";
import { timed } from "./timed.mjs";

const ROWS = 10_000;
const UPDATES = 20;
const WATCHERS = 1000;
const EVENTS = 100;
const ITEMS =
  "CREATE TABLE items(id INTEGER PRIMARY KEY, owner INTEGER, position INTEGER, title TEXT)";
const QUERY = "SELECT id, position, title FROM items ORDER BY position, id";

/** A promise, with the function that resolves it. */
function signal() {
  let tell;
  const told = new Promise((resolve) => (tell = resolve));
  return { told, tell };
}

/** A sample: updates one after the other, each up to what is told; `update` makes one, and gives the rows. */
async function sampleOfUpdates(update) {
  let check = 0;
  const ms = await timed(async () => {
    for (let n = 0; n < UPDATES; n += 1)
      check += (await update(5000 + n)).length;
  });
  return { value: ms, check };
}

function capsuleOfItems() {
  const capsule = Capsule.openSync(":memory:");
  capsule.execute(ITEMS);
  return capsule;
}

const items = (count) =>
  Array.from({ length: count }, (_, n) => ({
    owner: n % WATCHERS,
    position: n * 10,
    title: `item ${n}`,
  }));

const liveOfCapsule = {
  async open() {
    const capsule = capsuleOfItems();
    capsule.insertMultiple("items", items(ROWS));
    const live = capsule.live(QUERY);
    await live.ready;
    let heard = signal();
    live.subscribe(
      ({ rows, patches }) => patches.length > 0 && heard.tell(rows),
    );
    let turn = 0;
    return {
      sample: () =>
        sampleOfUpdates(async (id) => {
          heard = signal();
          turn += 1;
          capsule.update("items", id, { title: `changed ${turn}` });
          return await heard.told;
        }),
      close: () => capsule.close(),
    };
  },
};

const liveOfPglite = {
  async open() {
    const { PGlite } = await import("@electric-sql/pglite");
    const { live } = await import("@electric-sql/pglite/live");
    const pg = await PGlite.create({ extensions: { live } });
    await pg.exec(ITEMS.replace("INTEGER PRIMARY KEY", "SERIAL PRIMARY KEY"));
    await pg.query(
      "INSERT INTO items(owner, position, title) SELECT n % $1, n * 10, 'item ' || n FROM generate_series(0, $2) AS n",
      [WATCHERS, ROWS - 1],
    );
    let heard = signal();
    const query = await pg.live.incrementalQuery({
      query: QUERY,
      params: [],
      key: "id",
      callback: ({ rows }) => heard.tell(rows),
    });
    let turn = 0;
    return {
      sample: () =>
        sampleOfUpdates(async (id) => {
          heard = signal();
          turn += 1;
          await pg.query("UPDATE items SET title = $1 WHERE id = $2", [
            `changed ${turn}`,
            id,
          ]);
          return await heard.told;
        }),
      async close() {
        await query.unsubscribe();
        await pg.close();
      },
    };
  },
};

const watchersOfCapsule = {
  async open() {
    const capsule = capsuleOfItems();
    let heard = 0;
    for (let owner = 0; owner < WATCHERS; owner += 1) {
      const watcher = capsule.watch("items", `owner = ${owner}`);
      capsule.subscribe(watcher, (events) => (heard += events.length));
    }
    let next = 0;
    return {
      async sample() {
        heard = 0;
        const ms = await timed(async () => {
          const rows = Array.from({ length: EVENTS }, () => ({
            owner: next++ % WATCHERS,
            position: next,
            title: "new",
          }));
          capsule.insertMultiple("items", rows);
          capsule.flush();
          while (heard < EVENTS)
            await new Promise((resolve) => setImmediate(resolve));
        });
        return { value: ms, check: heard };
      },
      close: () => capsule.close(),
    };
  },
};

const queriesOfRxdb = {
  async open() {
    const { createRxDatabase } = await import("rxdb");
    const { getRxStorageMemory } = await import("rxdb/plugins/storage-memory");
    const db = await createRxDatabase({
      name: `b${Date.now()}`,
      storage: getRxStorageMemory(),
      multiInstance: false,
    });
    const integer = {
      type: "integer",
      minimum: 0,
      maximum: 1e9,
      multipleOf: 1,
    };
    const schema = {
      version: 0,
      primaryKey: "id",
      type: "object",
      properties: {
        id: { type: "string", maxLength: 20 },
        owner: integer,
        position: integer,
        title: { type: "string" },
      },
      required: ["id", "owner", "position", "title"],
      indexes: ["owner"],
    };
    const { items: collection } = await db.addCollections({
      items: { schema },
    });
    let heard = 0;
    let isReady = false;
    const subscriptions = [];
    const first = [];
    for (let owner = 0; owner < WATCHERS; owner += 1) {
      first.push(
        new Promise((resolve) => {
          subscriptions.push(
            collection.find({ selector: { owner } }).$.subscribe(() => {
              if (isReady) heard += 1;
              resolve();
            }),
          );
        }),
      );
    }
    await Promise.all(first);
    isReady = true;
    let next = 0;
    return {
      async sample() {
        heard = 0;
        const ms = await timed(async () => {
          const rows = Array.from({ length: EVENTS }, () => {
            const owner = next++ % WATCHERS;
            return { id: `i${next}`, owner, position: next, title: "new" };
          });
          await collection.bulkInsert(rows);
          while (heard < EVENTS)
            await new Promise((resolve) => setImmediate(resolve));
        });
        return { value: ms, check: heard };
      },
      async close() {
        for (const subscription of subscriptions) subscription.unsubscribe();
        await db.close();
      },
    };
  },
};

const emission = (count) => ({
  async open() {
    const capsule = capsuleOfItems();
    capsule.insertMultiple("items", items(100));
    let heard = 0;
    for (let n = 0; n < count; n += 1) {
      capsule.subscribe(
        capsule.watch("items", undefined, { id: `w${n}` }),
        (events) => (heard += events.length),
      );
    }
    let turn = 0;
    return {
      async sample() {
        heard = 0;
        const ms = await timed(async () => {
          for (let n = 0; n < UPDATES; n += 1) {
            turn += 1;
            capsule.update("items", 1 + (n % 100), {
              title: `changed ${turn}`,
            });
            capsule.flush();
            while (heard < count * (n + 1))
              await new Promise((resolve) => setImmediate(resolve));
          }
        });
        return { value: ms, check: heard / count };
      },
      close: () => capsule.close(),
    };
  },
});

export const FOLLOWING = [
  {
    id: "follow/patch",
    title: `one row of ${ROWS} ordered ones updated, up to the patch`,
    unit: "µs",
    scale: 1000 / UPDATES,
    goal: 0.15,
    peer: "PGlite, live.incrementalQuery",
    sides: { "Capsule.live": liveOfCapsule, peer: liveOfPglite },
  },
  {
    id: "follow/watchers",
    title: `${EVENTS} events to ${WATCHERS} watchers with filters`,
    unit: "ms",
    goal: 0.3,
    peer: `RxDB in memory, ${WATCHERS} live queries`,
    sides: { "Capsule.watch": watchersOfCapsule, peer: queriesOfRxdb },
  },
  {
    id: "follow/emission",
    title:
      "one event to all watchers of a table, from the update to the last listener",
    unit: "ms",
    scale: 1 / UPDATES,
    sides: Object.fromEntries(
      [5, 20, 100, 1000].map((count) => [`${count} watchers`, emission(count)]),
    ),
  },
];
