/**
 * A shop whose rules are a mod: hooks that take part in each write, and reactions that answer it later. For
 * programs that are killed while they write to it, in Node and in pages; `shopProblems` says what is not as
 * it has to be, whatever has happened.
 */

/** A mod whose hooks take part in each write, and answer it later. */
export const RULES = `
  function before_insert(table_name, row)
    if table_name == "orders" then row.total = row.price * row.count end
    return row
  end
  function validate_insert(table_name, row)
    if table_name == "orders" and row.count < 1 then error("nothing is ordered") end
  end
  function after_save(table_name, row)
    if table_name == "orders" then
      glyphcase.execute("UPDATE stock SET left_over = left_over - ? WHERE id = 1", row.count)
    end
  end
  function on_data_changed(table_name, operation, row)
    if table_name == "orders" and operation == "INSERT" then
      glyphcase.insert("letters", { order_id = row.id, text = "Thank you for " .. row.total })
    end
  end
  function order(token)
    return glyphcase.insert("orders", { price = 3, count = 2, filler = token })
  end`;

/** Tables of the shop. */
export const SCHEMA = {
  tables: [
    {
      name: "orders",
      columns: [
        { name: "id", type: "INTEGER" as const, primary: true },
        { name: "price", type: "INTEGER" as const },
        { name: "count", type: "INTEGER" as const },
        { name: "total", type: "INTEGER" as const },
        { name: "filler", type: "TEXT" as const },
      ],
    },
    {
      name: "stock",
      columns: [
        { name: "id", type: "INTEGER" as const, primary: true },
        { name: "left_over", type: "INTEGER" as const },
      ],
    },
    {
      name: "letters",
      columns: [
        { name: "id", type: "INTEGER" as const, primary: true },
        { name: "order_id", type: "INTEGER" as const },
        { name: "text", type: "TEXT" as const },
      ],
    },
  ],
};

/** Looks at a shop after `flush()`, by the first value of queries; returns what is wrong. */
export async function shopProblems(scalar: (sql: string) => Promise<unknown>): Promise<string[]> {
  const problems: string[] = [];
  const check = async (sql: string, expected: unknown, what: string) => {
    const found = await scalar(sql);
    if (found !== expected) problems.push(`${what}: ${String(found)} in place of ${String(expected)} (${sql})`);
  };
  await check("PRAGMA integrity_check", "ok", "the file is damaged");
  await check("SELECT count(*) FROM orders WHERE total IS NOT price * count", 0, "orders without their hook");
  await check(
    "SELECT sum(count) + (SELECT left_over FROM stock) FROM orders",
    0,
    "orders without what belongs to them",
  );
  await check("SELECT count(*) FROM _capsule_events WHERE processed = 0", 0, "events are not delivered");
  const doubled = "SELECT count(*) FROM (SELECT order_id FROM letters GROUP BY order_id HAVING count(*) > 1)";
  await check(doubled, 0, "reactions have run twice");
  const lost = "SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM letters)";
  await check(lost, 0, "reactions have not run");
  for (const table of ["orders", "letters"]) {
    const logged = `SELECT count(*) FROM _capsule_events WHERE table_name = '${table}' AND operation = 'INSERT'`;
    await check(logged, await scalar(`SELECT count(*) FROM ${table}`), `the log does not tell of all ${table}`);
  }
  const last = `SELECT new_data ->> 'left_over' FROM _capsule_events WHERE table_name = 'stock' ORDER BY id DESC LIMIT 1`;
  await check(last, await scalar("SELECT left_over FROM stock"), "the log does not tell of the last change");
  return problems;
}
