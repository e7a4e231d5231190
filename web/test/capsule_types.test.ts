/**
 * Types as users of a capsule were promised them, word by word: what a capsule gives is of these, and takes
 * these. The compiler judges (`npm run check`); what runs here shows that it is about real values.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type * as capsule from "../src/capsule/index.ts";
import { open } from "./capsules.ts";

interface Watcher {
  id: string;
  tableOrQuery: string;
  filterExpression?: string;
  subscriptions: Set<string>;
  createdAt: Date;
}

interface ChangeEvent {
  watcherId: string;
  operation: "INSERT" | "UPDATE" | "DELETE";
  tableName: string;
  rowId: number;
  oldData?: Record<string, any>;
  newData: Record<string, any>;
  timestamp: Date;
  transactionId: string;
}

interface Subscription {
  id: string;
  watcherId: string;
  listenerId: string;
  filter?: (event: ChangeEvent) => boolean;
  handler: (event: ChangeEvent) => void;
}

interface SchemaDefinition {
  tables: TableDef[];
  indexes: IndexDef[];
  triggers?: TriggerDef[];
}

type IndexDef = capsule.IndexDef;
type TriggerDef = capsule.TriggerDef;

interface TableDef {
  name: string;
  columns: ColumnDef[];
  capsule?: { watch: true; batchSize?: number; retentionDays?: number };
}

interface ColumnDef {
  name: string;
  type: "INTEGER" | "TEXT" | "REAL" | "BLOB" | "JSON";
  primary?: boolean;
  unique?: boolean;
  notNull?: boolean;
  default?: any;
}

suite("types", () => {
  test("Y1, Y2, Y3: of watchers, events and subscriptions", async () => {
    await using db = open();
    await db.execute("CREATE TABLE users(id INTEGER PRIMARY KEY, name)");
    const watcher: Watcher = db.watch("users", "id > 0");
    const heard: ChangeEvent[] = [];
    const subscription: Subscription = db.subscribe(watcher.id, (events: ChangeEvent[]) => void heard.push(...events), {
      filter: (event: ChangeEvent) => event.rowId > 0,
      listenerId: "me",
    });
    await db.insert("users", { name: "Ada" });
    await db.flush();
    const [event] = heard;
    assert.equal(event?.rowId, 1);
    assert.deepEqual(Object.keys(watcher).sort(), [
      "createdAt",
      "filterExpression",
      "id",
      "ready",
      "subscriptions",
      "tableOrQuery",
    ]);
    assert.ok(watcher.subscriptions.has(subscription.id));
    assert.equal(subscription.listenerId, "me");
    subscription.handler(event as ChangeEvent);
    assert.equal(heard.length, 2);
    assert.deepEqual(Object.keys(event as ChangeEvent).sort(), [
      "change",
      "key",
      "newData",
      "operation",
      "rowId",
      "seq",
      "source",
      "tableName",
      "timestamp",
      "transactionId",
      "watcherId",
    ]);
  });

  test("Y4: of schemas", async () => {
    const schema: SchemaDefinition = {
      tables: [
        {
          name: "users",
          columns: [
            { name: "id", type: "INTEGER", primary: true },
            { name: "email", type: "TEXT", unique: true },
          ],
          capsule: { watch: true, batchSize: 10, retentionDays: 3 },
        },
      ],
      indexes: [{ table: "users", columns: ["email"] }],
      triggers: ["CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END"],
    };
    const taken: capsule.SchemaDefinition = schema;
    await using db = open({ schema: taken });
    assert.equal(await db.queryScalar("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 1);
    const rows = await db.query<{ id: number; email: string }>("SELECT * FROM users");
    const emails: string[] = rows.map(({ email }) => email);
    assert.deepEqual(emails, []);
    // Without indexes.
    assert.deepEqual(await db.migrate({ tables: [] }), []);
  });
});
