// Measures in a page, of databases that its workers have in the origin private file system. The module is
// loaded by the page, and by the benchmark's process for titles and goals: peers are imported when a side is
// opened.

import { timed } from "../timed.mjs";

const ROWS = 10_000;
const UPDATES = 20;
const ITEMS = "CREATE TABLE items(id INTEGER PRIMARY KEY, owner INTEGER, position INTEGER, title TEXT)";
const FILL = `WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${ROWS - 1})
  INSERT INTO items(owner, position, title) SELECT n % 1000, n * 10, 'item ' || n FROM numbers`;
const QUERY = "SELECT id, position, title FROM items ORDER BY position, id";
const UPDATE = "UPDATE items SET title = ? WHERE id = ?";

const COMMITS = 200;
const TASKS = "CREATE TABLE tasks(id INTEGER PRIMARY KEY, title TEXT, completed INTEGER)";
const INSERT = "INSERT INTO tasks(title, completed) VALUES(?, ?)";
const COUNT = "SELECT count(*) FROM tasks";

/** Names that no database has had: the origin keeps its files for as long as Chromium runs. */
let last = 0;
const freshName = (what) => `${what}-${++last}.db`;

const openGlyphCase = async (name) => {
  const { GlyphCase } = await import("/web/dist/capsule.js");
  const db = new GlyphCase(name);
  await db.ready;
  return db;
};

/** Starts SQLocal; its worker is bundled by run.mjs, and calls it so that it finds its module. */
const openSqlocal = async (databasePath, reactive) => {
  const { SQLocal } = await import("/target/bench/sqlocal/client.mjs");
  const processor = new Worker("/target/bench/sqlocal/worker.mjs", { type: "module" });
  return new SQLocal({ databasePath, reactive, processor });
};

/**
 * A side of a followed query: `open(tell)` begins it and tells all rows whenever they are others; `update`
 * changes the title of a row. A sample waits for each title before it changes the next.
 */
const following = (open) => ({
  async open() {
    let wanted;
    const tell = (rows) => {
      if (wanted !== undefined && rows[wanted.id - 1]?.title === wanted.title) wanted.done(rows.length);
    };
    const { update, close } = await open(tell);
    let turn = 0;
    return {
      async sample() {
        let check = 0;
        const ms = await timed(async () => {
          for (let n = 0; n < UPDATES; n += 1) {
            const [id, title] = [5000 + n, `changed ${++turn}`];
            const told = new Promise((done) => (wanted = { id, title, done }));
            await update(id, title);
            check += await told;
          }
        });
        return { value: ms, check };
      },
      close,
    };
  },
});

const liveOfCapsule = following(async (tell) => {
  const db = await openGlyphCase(freshName("live"));
  await db.execute(ITEMS);
  await db.execute(FILL);
  const live = db.live(QUERY);
  await live.ready;
  live.subscribe(({ rows }) => tell(rows));
  return { update: (id, title) => db.update("items", id, { title }), close: () => db.close() };
});

const filledSqlocal = async (reactive) => {
  const db = await openSqlocal(freshName("reactive"), reactive);
  await db.sql(ITEMS);
  await db.sql(FILL);
  return db;
};

const reactiveOfSqlocal = following(async (tell) => {
  const db = await filledSqlocal(true);
  let first;
  const begun = new Promise((done) => (first = done));
  db.reactiveQuery({ sql: QUERY, params: [] }).subscribe((rows) => {
    if (rows.length === ROWS) first();
    tell(rows);
  });
  await begun;
  return { update: (id, title) => db.sql(UPDATE, title, id), close: () => db.destroy() };
});

/** A query of SQLocal, without the pause that it makes before it runs a reactive one again. */
const againInSqlocal = following(async (tell) => {
  const db = await filledSqlocal(false);
  const update = async (id, title) => {
    await db.sql(UPDATE, title, id);
    tell(await db.sql(QUERY));
  };
  return { update, close: () => db.destroy() };
});

/** A side with a fresh database for each sample: `fill` is timed, `found` says how many rows there are. */
const fresh = ({ open, fill, found, close }) => ({
  async open() {
    return {
      async sample() {
        const db = await open();
        try {
          const ms = await timed(() => fill(db));
          return { value: ms, check: await found(db) };
        } finally {
          await close(db);
        }
      },
    };
  },
});

const numbers = Array.from({ length: COMMITS }, (_, n) => n);
const title = (n) => `the title of task ${n}`;
const LUA = `for n = 0, ${COMMITS - 1} do
  glyphcase.execute("${INSERT}", "the title of task " .. n, n % 2)
end`;

const capsuleCommits = (fill) =>
  fresh({
    async open() {
      const db = await openGlyphCase(freshName("commit"));
      await db.execute(TASKS);
      return db;
    },
    fill,
    found: (db) => db.queryScalar(COUNT),
    close: (db) => db.close(),
  });

/** A worker with sqlite-wasm, which answers calls one by one. */
const openSahpool = async (pragmas) => {
  const worker = new Worker("/bench/capsule/page/sahpool.mjs", { type: "module" });
  const ask = (what, ...args) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data: { value, error } }) =>
        error === undefined ? resolve(value) : reject(new Error(error));
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ what, args });
    });
  await ask("open", freshName("pool"), [...pragmas, TASKS]);
  return { ask, close: () => ask("close").then(() => worker.terminate()) };
};

const sahpoolCommits = (fill, pragmas = []) =>
  fresh({
    open: () => openSahpool(pragmas),
    fill,
    found: ({ ask }) => ask("scalar", COUNT),
    close: ({ close }) => close(),
  });

const awaited = async ({ ask }) => {
  for (const n of numbers) await ask("run", INSERT, [title(n), n % 2]);
};
const inTheWorker = ({ ask }) =>
  ask(
    "runAll",
    INSERT,
    numbers.map((n) => [title(n), n % 2]),
  );
/** Settings of the capsule: a commit survives the death of the browser. */
const WAL = ["PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"];

export const PAGE_MEASURES = [
  {
    id: "patch",
    title: `one row of ${ROWS} ordered ones updated, through the worker, up to the patch`,
    unit: "ms",
    scale: 1 / UPDATES,
    goal: 0.3,
    peer: "SQLocal, reactiveQuery",
    sides: {
      "GlyphCase.live": liveOfCapsule,
      "SQLocal, the update and the query by hand": againInSqlocal,
      peer: reactiveOfSqlocal,
    },
  },
  {
    id: "commit/awaited",
    title: "one insert committed in OPFS, awaited in the page",
    unit: "µs",
    scale: 1000 / COMMITS,
    goal: 0.7,
    peer: "sqlite-wasm, opfs-sahpool, behind a worker of a few lines, not logged",
    sides: {
      "GlyphCase.insert": capsuleCommits(async (db) => {
        for (const n of numbers) await db.insert("tasks", { title: title(n), completed: n % 2 });
      }),
      "GlyphCase.execute": capsuleCommits(async (db) => {
        for (const n of numbers) await db.execute(INSERT, [title(n), n % 2]);
      }),
      "opfs-sahpool with WAL": sahpoolCommits(awaited, WAL),
      peer: sahpoolCommits(awaited),
    },
  },
  {
    id: "commit/loop",
    title: "one insert committed in OPFS, in a loop in the worker",
    unit: "µs",
    scale: 1000 / COMMITS,
    goal: 0.7,
    peer: "sqlite-wasm, opfs-sahpool, one compiled statement, not logged",
    sides: {
      "a loop in Lua": capsuleCommits((db) => db.executeLua(LUA)),
      "opfs-sahpool with WAL": sahpoolCommits(inTheWorker, WAL),
      peer: sahpoolCommits(inTheWorker),
    },
  },
];
