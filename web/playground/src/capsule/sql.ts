/** A box for any SQL: what one would try to get around the rules, and any question. */
import type { GlyphCase, Row, SqlValue } from "perilune/capsule";
import { byId, el } from "../view/dom.ts";
import { counted, time } from "../view/format.ts";
import { problemOf, problemView } from "./problem.ts";

/** Rows of a result that are shown. */
const ROWS_MAX = 100;

const EXAMPLES: readonly (readonly [label: string, sql: string])[] = [
  ["Insert", "INSERT INTO tasks(title, user_id) VALUES ('x', 1)"],
  ["Update", "UPDATE tasks SET title = substr(title, 1, 2)"],
  [
    "Hide in 1,000",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)\n" +
      "INSERT INTO tasks(title, user_id) SELECT iif(i = 777, 'x', 'Task ' || i), 1 + i % 3 FROM n",
  ],
  [
    "Insert 1,000",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)\n" +
      "INSERT INTO tasks(title, user_id) SELECT 'Task ' || i, 1 + i % 3 FROM n",
  ],
  ["Delete all", "DELETE FROM tasks"],
  ["Log", "SELECT id, operation, table_name, row_id, source FROM _capsule_events ORDER BY id DESC LIMIT 20"],
];

/** Beginning of statements that have rows as their result. */
const ASKS =
  /^(?:\s|--.*\n|\/\*[^]*?\*\/)*(?:SELECT|VALUES|PRAGMA|EXPLAIN|WITH(?![^]*\b(?:INSERT|UPDATE|DELETE|REPLACE)\b))/i;

interface Callbacks {
  /** Shows a line of the rules. */
  goTo: (line: number) => void;
  onRun: () => void;
}

export class SqlBox {
  readonly #db: GlyphCase;
  readonly #callbacks: Callbacks;
  readonly #text = byId<HTMLTextAreaElement>("c-sql");
  readonly #answer = byId("c-answer");

  constructor(db: GlyphCase, callbacks: Callbacks) {
    this.#db = db;
    this.#callbacks = callbacks;
    this.#text.value = EXAMPLES[0]?.[1] ?? "";
    this.#text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void this.#run();
    });
    byId("c-sql-run").addEventListener("click", () => void this.#run());
    byId("c-examples").replaceChildren(
      ...EXAMPLES.map(([label, sql]) => {
        const onclick = () => {
          this.#text.value = sql;
          void this.#run();
        };
        return el("li", {}, el("button", { type: "button", class: "quiet small", title: sql, onclick }, label));
      }),
    );
  }

  async #run(): Promise<void> {
    const sql = this.#text.value;
    if (sql.trim() === "") return;
    const start = performance.now();
    const took = () => el("span", { class: "elapsed" }, time(performance.now() - start));
    try {
      // A transaction of its own, so that none is left open; what is a question may be of any kind.
      const result = ASKS.test(sql) ? await this.#db.query(sql) : await this.#db.transaction((tx) => tx.execute(sql));
      const said = typeof result === "number" ? `${counted(result, "row")} changed` : counted(result.length, "row");
      this.#show("good", el("p", { class: "c-done" }, el("span", {}, said), took()), result);
    } catch (error) {
      const problem = problemView(problemOf(error), this.#callbacks.goTo);
      this.#show("bad", el("div", {}, problem, el("p", { class: "c-done" }, "Nothing was written.", took())), 0);
    }
    this.#callbacks.onRun();
  }

  #show(kind: string, said: HTMLElement, result: number | Row[]): void {
    this.#answer.dataset["kind"] = kind;
    this.#answer.replaceChildren(said, ...(typeof result === "number" || result.length === 0 ? [] : [table(result)]));
    this.#answer.scrollTop = 0;
  }
}

function table(rows: readonly Row[]): HTMLElement {
  const columns = Object.keys(rows[0] ?? {});
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", { scope: "col" }, column)))),
    el(
      "tbody",
      {},
      ...rows
        .slice(0, ROWS_MAX)
        .map((row) => el("tr", {}, ...columns.map((column) => el("td", {}, cell(row[column] ?? null))))),
      rows.length > ROWS_MAX &&
        el(
          "tr",
          {},
          el("td", { colspan: String(columns.length) }, `${counted(rows.length - ROWS_MAX, "more row")}, not shown`),
        ),
    ),
  );
}

function cell(value: SqlValue): string {
  if (value === null) return "NULL";
  return typeof value === "object" ? counted(value.length, "byte") : String(value);
}
