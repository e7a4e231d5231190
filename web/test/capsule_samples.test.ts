/**
 * Programs as users of a capsule write them: scripts, watchers, transactions, declared schemas. Each says in
 * a comment what it has to do; the calls are those that the documents promise.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { GlyphCase, type ChangeEvent, type SchemaDefinition } from "../src/capsule/index.ts";
import { errorsOf, failure, open, wasm } from "./capsules.ts";

const folder = mkdtempSync(join(tmpdir(), "capsule-samples-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const USERS = `CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, email TEXT, status TEXT DEFAULT 'active');
  CREATE TABLE tasks(id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT);
  CREATE TABLE user_profiles(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id), bio TEXT)`;

async function withUsers(): Promise<GlyphCase> {
  const db = open();
  await db.execute(USERS);
  return db;
}

suite("scripts from JavaScript", () => {
  test("T1: a function of a script is called by its name", async () => {
    await using db = open();
    await db.executeLua(`
      function process_data(input)
        return { result = input * 2 }
      end
    `);
    assert.deepEqual(await db.callLuaFunction("process_data", 10), { result: 20 });
  });

  test("T2: what Lua dispatches is heard on the bus", async () => {
    await using db = open();
    const heard: unknown[] = [];
    db.getEventBus().on("lua:result", (data) => heard.push(data));
    await db.executeLua(`glyphcase.dispatch("lua:result", { status = "success", data = { 1, 2 } })`);
    assert.deepEqual(heard, [{ status: "success", data: [1, 2] }]);
  });

  test("T3: scripts run, have the capsule, and nothing of the system", async () => {
    await using db = await withUsers();
    await db.executeLua(`local result = 2 + 2`);
    await db.executeLua(`
      local id = glyphcase.insert("users", {
        email = "lua@example.com",
        name = "Lua User"
      })
    `);
    assert.equal(await db.queryScalar("SELECT email FROM users"), "lua@example.com");
    await assert.rejects(async () => {
      await db.executeLua(`io.open("/etc/passwd", "r")`);
    });
    await db.executeLua(`
      function add(a, b)
        return a + b
      end
    `);
    assert.equal(await db.callLuaFunction("add", 5, 3), 8);
  });
});

suite("watchers", () => {
  test("T4: a table is watched until its subscription ends", async () => {
    await using glyphcase = await withUsers();
    const heard: ChangeEvent[][] = [];
    const watcher = glyphcase.watch("users");
    const subscription = glyphcase.subscribe(watcher, (events) => void heard.push(events));
    const id = await glyphcase.insert("users", { name: "Ada" });
    await glyphcase.update("users", id, { name: "Ada L." });
    await glyphcase.flush();
    assert.deepEqual(
      heard.flat().map(({ operation, rowId }) => [operation, rowId]),
      [
        ["INSERT", id],
        ["UPDATE", id],
      ],
    );
    assert.equal(heard.flat()[1]?.old_data?.["name"], "Ada");
    assert.equal(heard.flat()[1]?.new_data["name"], "Ada L.");
    glyphcase.unsubscribe(subscription);
    await glyphcase.insert("users", { name: "Bob" });
    await glyphcase.flush();
    assert.equal(heard.flat().length, 2);
    assert.equal(watcher.subscriptions.size, 0);
  });

  test("T5: a filter tells of rows that enter, leave or change within it", async () => {
    await using glyphcase = await withUsers();
    const heard: string[] = [];
    const watcher = glyphcase.watch("users", 'WHERE status = "active"');
    glyphcase.subscribe(watcher, (events) => heard.push(...events.map(({ change }) => change)));
    const active = await glyphcase.insert("users", { name: "in", status: "active" });
    const other = await glyphcase.insert("users", { name: "out", status: "gone" });
    await glyphcase.update("users", active, { name: "within" });
    await glyphcase.update("users", active, { status: "gone" });
    await glyphcase.update("users", other, { name: "still out" });
    await glyphcase.flush();
    assert.deepEqual(heard, ["enter", "change", "leave"]);
    assert.equal(watcher.filterExpression, 'WHERE status = "active"');
  });

  const COUNTS = `SELECT u.id, u.name, COUNT(t.id) as task_count FROM users u LEFT JOIN tasks t ON u.id = t.user_id
    GROUP BY u.id`;

  test("T6, T8: of a query the rows of its result are watched", async () => {
    await using glyphcase = await withUsers();
    const id = await glyphcase.insert("users", { name: "Ada" });
    const lines: string[] = [];
    const watcher = glyphcase.watch(COUNTS);
    glyphcase.subscribe(watcher, (events) => {
      events.forEach((e) => {
        lines.push(`${e.new_data["name"]}: ${e.new_data["task_count"]} tasks`);
      });
    });
    await watcher.ready;
    await glyphcase.insert("tasks", { user_id: id, title: "one" });
    await glyphcase.flush();
    await glyphcase.insert("tasks", { user_id: id, title: "two" });
    // Of another column, which the query does not show.
    await glyphcase.update("tasks", 1, { title: "first" });
    await glyphcase.flush();
    assert.deepEqual(lines, ["Ada: 1 tasks", "Ada: 2 tasks"]);
    assert.equal((await watcher.explain()).rung, "columns");
  });
});

suite("declared schemas", () => {
  test("T7: tables are made, kept, and extended", async () => {
    let stamp = 1_700_000_000_000;
    const schema: SchemaDefinition = {
      tables: [
        {
          name: "users",
          columns: [
            { name: "id", type: "INTEGER", primary: true },
            { name: "email", type: "TEXT", unique: true },
            { name: "name", type: "TEXT", notNull: true },
            { name: "status", type: "TEXT", default: "active" },
            { name: "created_at", type: "INTEGER", default: () => stamp++ },
          ],
          capsule: { watch: true, retentionDays: 30 },
        },
      ],
    };
    const filename = join(folder, "schema.db");
    {
      await using db = new GlyphCase({ filename, schema, wasm });
      await db.insert("users", { name: "Ada", email: "ada@example.com" });
      await db.insertMultiple("users", [{ name: "Bob" }, { name: "Eve", created_at: 5 }]);
      const rows = await db.query<{ status: string; created_at: number }>("SELECT * FROM users ORDER BY id");
      assert.deepEqual(
        rows.map(({ status, created_at }) => [status, created_at > 5, created_at === 5]),
        [
          ["active", true, false],
          ["active", true, false],
          ["active", false, true],
        ],
      );
      assert.deepEqual(await db.query("SELECT id, table_or_query FROM _capsule_watchers"), [
        { id: "users", table_or_query: "users" },
      ]);
      assert.equal(await db.queryScalar("SELECT count(*) FROM _capsule_events"), 3);
    }
    const [table] = schema.tables;
    table?.columns.push({ name: "age", type: "INTEGER" });
    await using again = new GlyphCase({ filename, schema, wasm });
    const heard: ChangeEvent[] = [];
    again.subscribe("users", (events) => void heard.push(...events));
    assert.deepEqual(await again.migrate(schema), []);
    await again.insert("users", { name: "Ann", age: 30 });
    await again.flush();
    assert.equal(await again.queryScalar("SELECT count(*) FROM users"), 4);
    assert.equal(heard[0]?.new_data["age"], 30);
  });
});

suite("transactions", () => {
  test("T9: what a function calls is one transaction, and one batch; its error takes everything back", async () => {
    await using glyphcase = await withUsers();
    const batches: number[] = [];
    const watcher = glyphcase.watch("users");
    glyphcase.subscribe(watcher, (events) => void batches.push(events.length));
    await glyphcase.transaction(async () => {
      const userId = await glyphcase.insert("users", { name: "Alice" });
      await glyphcase.insert("user_profiles", { user_id: userId });
      await glyphcase.insert("users", { name: "Bob" });
    });
    await glyphcase.flush();
    assert.deepEqual(batches, [2]);
    await assert.rejects(
      glyphcase.transaction(async () => {
        await glyphcase.insert("users", { name: "Eve" });
        throw new Error("no");
      }),
      /no/,
    );
    await glyphcase.flush();
    assert.deepEqual(batches, [2]);
    assert.equal(await glyphcase.queryScalar("SELECT count(*) FROM users"), 2);
  });
});

suite("options", () => {
  test("T10: events are on, and tables can be named", async () => {
    const glyphcase = new GlyphCase(join(folder, "on.db"), { capsule: { enabled: true }, wasm });
    await glyphcase.execute("CREATE TABLE users(id INTEGER PRIMARY KEY)");
    await glyphcase.recreateTriggersForTable("users");
    const { kind, message } = await failure(() => glyphcase.recreateTriggersForTable("nobody"));
    assert.equal(kind, "sql");
    assert.match(message, /nobody/);
    await glyphcase.close();
  });

  test("T11: a batch may be larger and later", async () => {
    await using glyphcase = new GlyphCase(join(folder, "batch.db"), {
      capsule: { batchInterval: 200, batchSize: 1000 },
      wasm,
    });
    await glyphcase.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, value)");
    const batches: number[] = [];
    glyphcase.subscribe(glyphcase.watch("items"), (events) => void batches.push(events.length));
    for (let i = 0; i < 150; i++) await glyphcase.insert("items", { value: i });
    assert.deepEqual(batches, []);
    await glyphcase.flush();
    assert.deepEqual(batches, [150]);
  });
});

suite("Lua", () => {
  /** A capsule with these tables, and what its scripts print. */
  async function printing(sql: string): Promise<{ db: GlyphCase; printed: () => string }> {
    let text = "";
    const db = open({ stdout: (more) => (text += more) });
    await db.execute(sql);
    const printed = () => {
      const before = text;
      text = "";
      return before;
    };
    return { db, printed };
  }

  test("L1: everything that works on data", async () => {
    const { db, printed } = await printing(
      `CREATE TABLE users(id INTEGER PRIMARY KEY, name, email, age, status, updated_at);
       CREATE TABLE profiles(id INTEGER PRIMARY KEY, user_id)`,
    );
    await using _ = db;
    await db.insert("users", { id: 100, name: "Old", age: 40, status: "inactive" });
    await db.insert("users", { name: "Young", age: 10 });
    const heard: unknown[] = [];
    db.getEventBus().on("user:created", (payload) => heard.push(payload));
    const result = await db.executeLua(`
      local users = glyphcase.query("SELECT * FROM users WHERE age > ?", 18)
      local id = glyphcase.insert("users", { name = "Alice", email = "alice@example.com" })
      local changed = glyphcase.update("users", id, { age = 31 })
      local gone = glyphcase.delete("users", id)
      glyphcase.insertMultiple("users", { { name = "Bob" }, { name = "Charlie" } })
      local updated = glyphcase.updateWhere("users", "status = ?", { "inactive" }, { updated_at = os.time() })
      local removed = glyphcase.deleteWhere("users", "age < ?", { 18 })
      local user = glyphcase.queryOne("SELECT * FROM users WHERE id = ?", 100)
      local count = glyphcase.queryScalar("SELECT COUNT(*) FROM users")
      glyphcase.transaction(function()
        local id = glyphcase.insert("users", { name = "Test" })
        glyphcase.insert("profiles", { user_id = id })
      end)
      glyphcase.dispatch("user:created", { userId = id })
      glyphcase.watch("users", function(events)
        print("Users changed:", #events, "events")
      end)
      glyphcase.insert("users", { name = "Watched" })
      return { #users, changed, gone, updated, removed, user.name, count }
    `);
    assert.deepEqual(result, [1, true, true, 1, 1, "Old", 3]);
    assert.equal(await db.queryScalar("SELECT user_id FROM profiles"), 104);
    assert.deepEqual(heard, [{ userId: 102 }]);
    await db.flush();
    assert.equal(printed(), "Users changed:\t1\tevents\n");
  });

  test("L2: actions and their handlers", async () => {
    const { db, printed } = await printing("SELECT 1");
    await using _ = db;
    const heard: unknown[] = [];
    for (const name of ["email:send", "custom:action"]) db.getEventBus().on(name, (payload) => heard.push(payload));
    const result = await db.executeLua(`
      local nothing = actionbus.dispatch("email:send", { to = "user@example.com", subject = "Welcome" })
      actionbus.register("custom:action", function(payload)
        print("Handling custom action:", payload.data)
        return { success = true }
      end)
      return { nothing == nil, actionbus.dispatch("custom:action", { data = 7 }) }
    `);
    assert.deepEqual(result, [true, { success: true }]);
    assert.equal(printed(), "Handling custom action:\t7\n");
    assert.deepEqual(heard, [{ to: "user@example.com", subject: "Welcome" }, { data: 7 }]);
  });

  test("L3: identifiers and passwords", async () => {
    await using db = open();
    const [id, hash, valid, wrong] = (await db.executeLua(`
      local hash = crypto.bcrypt("password123", 4)
      return { crypto.uuid(), hash, crypto.verify("password123", hash), crypto.verify("password124", hash) }
    `)) as [string, string, boolean, boolean];
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(hash.length, 60);
    assert.deepEqual([valid, wrong], [true, false]);
  });

  test("L5: the cache forgets when it is told to, and by time", async (t) => {
    t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
    await using db = open();
    await db.executeLua(`
      cache.set("user:123", { name = "Ada" }, "10m")
      cache.set("session:abc", "s", "1h")
    `);
    const user = () => db.executeLua(`return cache.get("user:123")`);
    t.mock.timers.tick(9 * 60_000);
    assert.deepEqual(await user(), { name: "Ada" });
    t.mock.timers.tick(2 * 60_000);
    assert.equal(await user(), undefined);
    assert.equal(await db.executeLua(`return cache.get("session:abc")`), "s");
    assert.equal(await db.executeLua(`cache.delete("session:abc") return cache.get("session:abc")`), undefined);
    assert.equal(
      await db.executeLua(`cache.set("config", 1, "1d") cache.clear() return cache.get("config")`),
      undefined,
    );
  });

  test("L4: timers run when their time has come, until they are stopped", async (t) => {
    t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
    const { db, printed } = await printing("SELECT 1");
    await using _ = db;
    await db.executeLua(`
      scheduler.every("1h", function() print("hourly") end)
      scheduler.every("5m", function() print("five") end)
      scheduler.after("10s", function() print("once") end)
    `);
    const pass = async (ms: number) => {
      t.mock.timers.tick(ms);
      await db.stats();
      return printed();
    };
    assert.equal(await pass(9_000), "");
    assert.equal(await pass(1_000), "once\n");
    assert.equal(await pass(290_000), "five\n");
    assert.equal(await pass(300_000), "five\n");
    // Late ticks run once.
    assert.deepEqual((await pass(3_600_000)).split("\n").sort(), ["", "five", "hourly"]);
    await db.executeLua("scheduler.stop_all()");
    assert.equal(await pass(24 * 3_600_000), "");
  });

  test("L12: watchers of Lua, with and without a filter", async () => {
    const { db, printed } = await printing("CREATE TABLE users(id INTEGER PRIMARY KEY, email, status)");
    await using _ = db;
    await db.executeLua(`
      function send_email(to, text) print("to " .. to .. ": " .. text) end
      glyphcase.watch("users", function(events)
        for _, event in ipairs(events) do
          if event.operation == "INSERT" then
            print("New user: " .. event.new_data.email)
            send_email(event.new_data.email, "Welcome!")
          elseif event.operation == "DELETE" then
            print("Deleted user: " .. event.old_data.email)
          end
        end
      end)
      glyphcase.watch("users", "WHERE status = 'premium'", function(events)
        print("Premium users changed: " .. #events .. " events")
      end)
    `);
    const id = await db.insert("users", { email: "a@b", status: "premium" });
    await db.insert("users", { email: "c@d" });
    await db.flush();
    assert.deepEqual(printed().split("\n").sort(), [
      "",
      "New user: a@b",
      "New user: c@d",
      "Premium users changed: 1 events",
      "to a@b: Welcome!",
      "to c@d: Welcome!",
    ]);
    await db.delete("users", id);
    await db.flush();
    assert.deepEqual(printed().split("\n").sort(), ["", "Deleted user: a@b", "Premium users changed: 1 events"]);
  });

  test("L14: changes reach a hook, and from there the bus", async () => {
    const { db, printed } = await printing("CREATE TABLE users(id INTEGER PRIMARY KEY, name)");
    await using _ = db;
    const heard: unknown[] = [];
    db.getEventBus().on("user:changed", (payload) => heard.push(payload));
    await db.executeLua(`
      function on_data_changed(table_name, operation, row)
        if table_name == "users" then
          print("User " .. row.id .. " was " .. operation)
          glyphcase.dispatch("user:changed", { userId = row.id, operation = operation, data = row })
        end
      end
    `);
    await db.insert("users", { name: "Ada" });
    await db.flush();
    assert.equal(printed(), "User 1 was INSERT\n");
    assert.deepEqual(heard, [{ userId: 1, operation: "INSERT", data: { id: 1, name: "Ada" } }]);
  });

  test("L19: a row is transformed before it is inserted, from Lua and from JavaScript", async () => {
    const { db } = await printing("CREATE TABLE users(id INTEGER PRIMARY KEY, name, slug, password_hash)");
    await using _ = db;
    await db.executeLua(`
      function before_insert(table_name, data)
        if table_name == "users" then
          if data.password then
            data.password_hash = crypto.bcrypt(data.password, 4)
            data.password = nil
          end
          if data.name and not data.slug then
            data.slug = string.lower(data.name):gsub("%s+", "-")
          end
        end
        return data
      end
      glyphcase.insert("users", { name = "Of Lua", password = "secret" })
    `);
    await db.insert("users", { name: "Of JavaScript", password: "secret" });
    assert.deepEqual(await db.query("SELECT slug, length(password_hash) AS hashed FROM users"), [
      { slug: "of-lua", hashed: 60 },
      { slug: "of-javascript", hashed: 60 },
    ]);
  });

  test("L20: a row that a hook refuses is inserted by nobody", async () => {
    const { db } = await printing("CREATE TABLE users(id INTEGER PRIMARY KEY, name, email)");
    await using _ = db;
    await db.executeLua(`
      function validate_insert(table_name, data)
        if table_name == "users" then
          if not data.email or not string.match(data.email, "^[^@]+@[^@]+$") then
            error("Invalid email")
          end
          if not data.name or string.len(data.name) < 2 then
            error("Name too short")
          end
        end
        return true
      end
    `);
    for (const call of [
      () => db.insert("users", { name: "Ada", email: "nowhere" }),
      () => db.execute("INSERT INTO users(name, email) VALUES('Ada', 'nowhere')"),
      () => db.executeLua(`glyphcase.insert("users", { name = "Ada", email = "nowhere" })`),
    ]) {
      const { kind, message, error } = await failure(call);
      assert.equal(kind, "veto");
      assert.match(message, /Invalid email/);
      assert.ok(error.cause !== undefined);
    }
    assert.match((await failure(() => db.insert("users", { name: "A", email: "a@b" }))).message, /Name too short/);
    await db.insert("users", { name: "Ada", email: "a@b" });
    assert.equal(await db.queryScalar("SELECT count(*) FROM users"), 1);
  });

  test("L7 to L10: rows by list parameters, by key, and by conditions", async () => {
    const { db, printed } = await printing(
      "CREATE TABLE users(id INTEGER PRIMARY KEY, email, name, status, updated_at)",
    );
    await using _ = db;
    await db.executeLua(`
      local user_id = glyphcase.insert("users", { email = "alice@example.com", name = "Alice", status = "active" })
      print("Created user: " .. user_id)
      glyphcase.insertMultiple("users", {
        { email = "bob@example.com", name = "Bob" },
        { email = "charlie@example.com", name = "Charlie", status = "deleted" }
      })
      local users = glyphcase.query("SELECT * FROM users WHERE status = ?", {"active"})
      for _, user in ipairs(users) do print("User: " .. user.name) end
      local user = glyphcase.queryOne("SELECT * FROM users WHERE id = ?", {1})
      if user then print("Found: " .. user.name) end
      print("Total users: " .. glyphcase.queryScalar("SELECT COUNT(*) FROM users"))
      glyphcase.update("users", 1, { name = "Alice Updated", status = "inactive" })
      glyphcase.updateWhere("users", "status = ?", { "inactive" }, { updated_at = os.time() })
      glyphcase.delete("users", 2)
      glyphcase.deleteWhere("users", "status = ?", { "deleted" })
    `);
    assert.equal(printed(), "Created user: 1\nUser: Alice\nFound: Alice\nTotal users: 3\n");
    assert.deepEqual(await db.query("SELECT id, name, updated_at > 0 AS updated FROM users"), [
      { id: 1, name: "Alice Updated", updated: 1 },
    ]);
  });

  test("L13: a payload is told as it is", async () => {
    await using db = open();
    const heard: unknown[] = [];
    db.getEventBus().on("user:created", (payload) => heard.push(payload));
    await db.executeLua(`
      local user_id, email = 7, "ada@example.com"
      glyphcase.dispatch("user:created", { userId = user_id, email = email, timestamp = os.time() })
    `);
    const [{ timestamp, ...rest }] = heard as [{ timestamp: number }];
    assert.deepEqual(rest, { userId: 7, email: "ada@example.com" });
    assert.ok(Number.isSafeInteger(timestamp));
  });

  test("L15: a reaction writes once, tells, and the chain ends", async () => {
    const { db, printed } = await printing(
      `CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id, total, status);
       CREATE TABLE order_items(order_id, price, quantity)`,
    );
    await using _ = db;
    const heard: unknown[] = [];
    db.getEventBus().on("order:created", (payload) => heard.push(payload));
    await db.executeLua(`
      function send_shipment_notification(row) print("shipped " .. row.id) end
      function on_data_changed(table_name, operation, row)
        if table_name == "orders" then
          if operation == "INSERT" then
            print("New order: " .. row.id)
            local total = glyphcase.queryScalar(
              "SELECT SUM(price * quantity) FROM order_items WHERE order_id = ?",
              {row.id}
            )
            glyphcase.update("orders", row.id, { total = total })
            glyphcase.dispatch("order:created", { orderId = row.id, userId = row.user_id, total = total })
          elseif operation == "UPDATE" then
            if row.status == "shipped" then
              send_shipment_notification(row)
            end
          end
        end
      end
    `);
    await db.transaction(async (tx) => {
      await tx.insertMultiple("order_items", [
        { order_id: 1, price: 2, quantity: 3 },
        { order_id: 1, price: 5, quantity: 1 },
      ]);
      await tx.insert("orders", { id: 1, user_id: 9 });
    });
    await db.flush();
    assert.deepEqual(heard, [{ orderId: 1, userId: 9, total: 11 }]);
    await db.update("orders", 1, { status: "shipped" });
    await db.flush();
    await db.flush();
    assert.equal(printed(), "New order: 1\nshipped 1\n");
    assert.equal(await db.queryScalar("SELECT total FROM orders"), 11);
  });

  test("L21: a function that reads, called by its name", async () => {
    const { db } = await printing(
      `CREATE TABLE users(id INTEGER PRIMARY KEY, name); CREATE TABLE tasks(id INTEGER PRIMARY KEY, user_id, status);
       CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id, total);
       INSERT INTO users VALUES(1, 'Ada'); INSERT INTO tasks VALUES(1, 1, 'completed'), (2, 1, 'open');
       INSERT INTO orders VALUES(1, 1, 5), (2, 1, 7)`,
    );
    await using _ = db;
    await db.executeLua(`
      function get_user_stats(user_id)
        local result = glyphcase.queryOne([[
          SELECT u.id, u.name, COUNT(DISTINCT t.id) as task_count, COUNT(DISTINCT o.id) as order_count,
            SUM(o.total) as lifetime_value
          FROM users u
          LEFT JOIN tasks t ON u.id = t.user_id AND t.status = 'completed'
          LEFT JOIN orders o ON u.id = o.user_id
          WHERE u.id = ?
          GROUP BY u.id
        ]], {user_id})
        return result
      end
    `);
    const stats = { id: 1, name: "Ada", task_count: 1, order_count: 2, lifetime_value: 12 };
    assert.deepEqual(await db.callLuaFunction("get_user_stats", 1), stats);
  });

  test("L22: a thousand rows are one transaction and one batch", async () => {
    const { db } = await printing("CREATE TABLE items(id INTEGER PRIMARY KEY, value)");
    await using _ = db;
    const batches: ChangeEvent[][] = [];
    db.subscribe(db.watch("items"), (events) => void batches.push(events));
    await db.executeLua(`
      glyphcase.transaction(function()
        for i = 1, 1000 do
          glyphcase.insert("items", { value = i })
        end
      end)
    `);
    await db.flush();
    assert.deepEqual(
      batches.map((events) => [events.length, new Set(events.map(({ transactionId }) => transactionId)).size]),
      [[1000, 1]],
    );
  });

  test("D1, D4: watchers, triggers and events can be counted and looked at", async () => {
    const { db, printed } = await printing("CREATE TABLE users(id INTEGER PRIMARY KEY, name)");
    await using _ = db;
    const watcher = db.watch("users");
    await db.insert("users", { name: "Ada" });
    await db.executeLua(`
      local watchers = glyphcase.query("SELECT * FROM _capsule_watchers")
      print("Active watchers: " .. #watchers)
      local triggers = glyphcase.query("SELECT name FROM sqlite_master WHERE type='trigger'")
      print("Triggers: " .. #triggers)
      for _, w in ipairs(watchers) do
        print("Watcher: " .. w.id .. " -> " .. w.table_or_query)
      end
      local events = glyphcase.query("SELECT * FROM _capsule_events ORDER BY timestamp DESC LIMIT 10")
      for _, e in ipairs(events) do
        print(e.operation .. " on " .. e.table_name)
      end
    `);
    assert.equal(printed(), `Active watchers: 1\nTriggers: 0\nWatcher: ${watcher.id} -> users\nINSERT on users\n`);
  });

  test("D2: events wait between their commit and their batch", async () => {
    await using db = await withUsers();
    const pending = () =>
      db.executeLua(`return glyphcase.queryScalar("SELECT COUNT(*) FROM _capsule_events WHERE processed = 0")`);
    db.subscribe(db.watch("users"), () => {});
    await db.insert("users", { name: "Ada" });
    assert.equal(await pending(), 1);
    await db.flush();
    assert.equal(await pending(), 0);
  });

  test("Q1 to Q4: every column of the tables of the log can be read, with its meaning", async () => {
    await using db = await withUsers();
    const watcher = db.watch("users", "status = 'active'");
    db.subscribe(watcher, () => {}, {
      listenerId: "list",
      listenerType: "react",
      filter: (event) => event.rowId === 1,
    });
    await db.insert("users", { name: "Ada", status: "active" });
    await db.flush();
    const [watched] = await db.query(`SELECT id, table_or_query, filter_expression, description, created_at, updated_at,
      is_active, subscription_count FROM _capsule_watchers`);
    assert.equal(watched?.["id"], watcher.id);
    assert.match(String(watched?.["id"]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(
      ["table_or_query", "filter_expression", "is_active", "subscription_count"].map((name) => watched?.[name]),
      ["users", "status = 'active'", 1, 1],
    );
    const [event] = await db.query(`SELECT id, watcher_id, operation, table_name, row_id, old_data, new_data, timestamp,
      transaction_id, source, processed FROM _capsule_events`);
    assert.deepEqual(
      ["watcher_id", "operation", "table_name", "row_id", "old_data", "source", "processed"].map(
        (name) => event?.[name],
      ),
      [watcher.id, "INSERT", "users", 1, null, "trigger", 1],
    );
    assert.equal((JSON.parse(String(event?.["new_data"])) as { name: string }).name, "Ada");
    assert.match(String(event?.["timestamp"]), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
    const [subscription] = await db.query(`SELECT id, watcher_id, listener_id, listener_type, filter_json, created_at,
      is_active FROM _capsule_subscriptions`);
    assert.deepEqual(
      ["watcher_id", "listener_id", "listener_type", "is_active"].map((name) => subscription?.[name]),
      [watcher.id, "list", "react", 1],
    );
    assert.match(String(subscription?.["filter_json"]), /rowId/);
    const transactions = await db.query(
      `SELECT id, started_at, completed_at, status, event_count, source
      FROM _capsule_transactions WHERE id = ?`,
      [event?.["transaction_id"] as string],
    );
    assert.deepEqual(
      transactions.map(({ status, event_count, source }) => ({ status, event_count, source })),
      [{ status: "committed", event_count: 1, source: "trigger" }],
    );
  });

  test("Q6, Q8: indexes are made, and an insert is in the log without a trigger", async () => {
    await using db = await withUsers();
    await db.execute("CREATE INDEX idx_users_email ON users(email); CREATE INDEX idx_tasks_user_id ON tasks(user_id)");
    assert.equal(await db.queryScalar("SELECT count(*) FROM sqlite_master WHERE name LIKE 'idx_%'"), 2);
    const watcher = db.watch("tasks");
    await watcher.ready;
    const id = await db.insert("tasks", { title: "Write" });
    const logged = await db.query("SELECT * FROM _capsule_events WHERE table_name = 'tasks'");
    assert.equal(logged.length, 1);
    const { operation, row_id, new_data, watcher_id } = logged[0] as Record<string, unknown>;
    assert.deepEqual([operation, row_id, watcher_id], ["INSERT", id, watcher.id]);
    const { title } = JSON.parse(String(new_data)) as { title: string };
    assert.equal(title, "Write");
    assert.equal(await db.queryScalar("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), 0);
  });

  test("D3, Q5, Q7: the log is cleaned up, and the file is smaller", async () => {
    await using db = await withUsers();
    await db.execute("CREATE TABLE big(b); INSERT INTO big VALUES(zeroblob(200000)); DROP TABLE big");
    const before = (await db.stats())["databaseBytes"] as number;
    await db.insert("users", { name: "Ada" });
    await db.flush();
    await db.executeLua(`
      glyphcase.execute([[
        DELETE FROM _capsule_events
        WHERE timestamp < datetime('now', '-7 days')
      ]])
      glyphcase.execute("VACUUM")
    `);
    assert.ok(((await db.stats())["databaseBytes"] as number) < before);
    assert.equal(await db.queryScalar("SELECT count(*) FROM _capsule_events WHERE table_name = 'users'"), 1);
    await db.execute("DELETE FROM _capsule_events WHERE timestamp < datetime('now', '-7 days') AND source != 'sync'");
    await db.execute("ANALYZE; VACUUM");
  });

  test("L11: an error takes back the whole transaction of a script, and the script fails with it", async () => {
    await using db = await withUsers();
    const { kind, message } = await failure(() =>
      db.executeLua(`
        glyphcase.transaction(function()
          local user = glyphcase.insert("users", { email = "test@example.com", name = "Test User" })
          glyphcase.insert("user_profiles", { user_id = user, bio = "Initial bio" })
          error("at the end")
        end)
      `),
    );
    assert.equal(kind, "lua");
    assert.match(message, /at the end/);
    assert.equal(await db.queryScalar("SELECT count(*) FROM users"), 0);
  });
});

suite("mods", () => {
  const files = {
    "hooks.lua": `
      function on_install()
        glyphcase.execute("CREATE TABLE IF NOT EXISTS mod_data(id INTEGER PRIMARY KEY, key TEXT UNIQUE, value JSON)")
        glyphcase.insert("mod_data", { key = "installed_at", value = os.time() })
      end
      function on_activate()
        glyphcase.watch("mod_data", function() end)
        actionbus.register("mod:action", function(payload) return payload.n + 1 end)
      end
      function on_deactivate()
        scheduler.stop_all()
        cache.clear()
      end
    `,
    "functions.lua": `function double(n) return 2 * n end`,
  };

  test("M1, L16 to L18: installed once, active again after a restart, and gone when that is wanted", async () => {
    const filename = join(folder, "mods.db");
    {
      await using db = new GlyphCase({ filename, wasm });
      await db.installMod({ name: "User", version: "1.0.0", files });
      assert.deepEqual(await db.mods(), [{ name: "User", version: "1.0.0", active: true }]);
      assert.equal(await db.mod("User").call("double", 21), 42);
    }
    await using db = new GlyphCase({ filename, wasm });
    const errors = errorsOf(db);
    assert.equal(await db.executeLua(`return actionbus.dispatch("mod:action", { n = 1 })`), 2);
    assert.equal(await db.queryScalar("SELECT count(*) FROM mod_data"), 1);
    await db.deactivateMod("User");
    assert.equal(await db.executeLua(`return actionbus.dispatch("mod:action", { n = 1 })`), undefined);
    await db.activateMod("User");
    await db.uninstallMod("User");
    assert.deepEqual(await db.mods(), []);
    assert.deepEqual(errors, []);
  });

  test("M2, M3: reactions and transforms of one mod", async () => {
    await using db = open();
    await db.execute(
      `CREATE TABLE users(id INTEGER PRIMARY KEY, uuid, name, slug, email, password_hash, status);
       CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id, title, slug, published, published_at)`,
    );
    const heard: [string, unknown][] = [];
    for (const name of ["email:send", "user:upgraded", "post:published"])
      db.getEventBus().on(name, (payload) => heard.push([name, payload]));
    await db.installMod({
      name: "User",
      version: "1.0.0",
      files: {
        "reactive.lua": `
          function on_data_changed(table_name, operation, row)
            if table_name == "users" then
              if operation == "INSERT" then
                glyphcase.dispatch("email:send", { to = row.email, template = "welcome", data = { name = row.name } })
                cache.set("stats:user_count", glyphcase.queryScalar("SELECT COUNT(*) FROM users"), "1h")
              elseif operation == "UPDATE" then
                if row.status == "premium" then glyphcase.dispatch("user:upgraded", { userId = row.id }) end
              elseif operation == "DELETE" then
                glyphcase.deleteWhere("posts", "user_id = ?", { row.id })
                cache.delete("user:" .. row.id)
              end
            end
          end
          function user_count() return cache.get("stats:user_count") end
        `,
        "transforms.lua": `
          function before_save(table_name, data)
            if table_name == "users" then
              if data.password then
                data.password_hash = crypto.bcrypt(data.password, 4)
                data.password = nil
              end
              if data.name and not data.slug then
                data.slug = string.lower(data.name):gsub("%s+", "-")
              end
              if not data.uuid then data.uuid = crypto.uuid() end
              if data.email and not string.match(data.email, "^[^@]+@[^@]+$") then error("Invalid email format") end
            end
            if table_name == "posts" then
              if data.published == 1 and not data.published_at then data.published_at = os.time() end
            end
            return data
          end
          function after_save(table_name, data)
            if table_name == "posts" and data.published == 1 then
              glyphcase.dispatch("post:published", { postId = data.id, title = data.title })
            end
          end
        `,
      },
    });
    const ada = { name: "Ada Lovelace", email: "ada@example.com", password: "secret words" };
    const id = await db.insert("users", ada);
    const user = await db.queryOne<{ slug: string; uuid: string; password_hash: string }>("SELECT * FROM users");
    assert.equal(user?.slug, "ada-lovelace");
    assert.equal(user?.uuid.length, 36);
    assert.equal(user?.password_hash.length, 60);
    const log = await db.queryScalar<string>("SELECT group_concat(coalesce(new_data, '')) FROM _capsule_events");
    assert.doesNotMatch(String(log), /secret words/);
    const { message } = await failure(() => db.insert("users", { name: "B", email: "nowhere" }));
    assert.match(message, /Invalid email format/);
    await db.insert("posts", { user_id: id, title: "First", published: 1 });
    await db.flush();
    assert.equal(await db.mod("User").call("user_count"), 1);
    await db.update("users", id, { status: "premium" });
    await db.delete("users", id);
    await db.flush();
    await db.flush();
    assert.equal(await db.queryScalar("SELECT count(*) FROM posts"), 0);
    const names = heard.map(([name]) => name);
    assert.deepEqual([...names].sort(), ["email:send", "post:published", "user:upgraded"]);
    assert.deepEqual(heard.find(([name]) => name === "email:send")?.[1], {
      to: "ada@example.com",
      template: "welcome",
      data: { name: "Ada Lovelace" },
    });
  });
});
