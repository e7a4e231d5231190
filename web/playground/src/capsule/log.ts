/** The log of events: transactions with their changes, each of which can be undone. */
import type { GlyphCase, LiveQuery } from "perilune/capsule";
import { byId, el } from "../view/dom.ts";
import { count, counted } from "../view/format.ts";
import { problemOf } from "./problem.ts";

/** Transactions on a page, and changes of one that are shown. */
const TRANSACTIONS_MAX = 50;
const CHANGES_MAX = 5;
/** Changes that are added to those of a long transaction at once. */
const MORE_MAX = 50;

const CHANGE = `e.id, e.operation, e.table_name, e.row_id, e.old_data, e.new_data, e.timestamp, e.transaction_id, e.source`;

export const LOG_SQL = `SELECT ${CHANGE}, t.tx, t.first, t.events, t.cause
FROM (
  SELECT tx, first, events, cause FROM _capsule_tx
  WHERE tx < ? AND status = 'committed' AND events > 0
  ORDER BY tx DESC LIMIT ${TRANSACTIONS_MAX + 1}
) t JOIN _capsule_events e ON e.id >= t.first AND e.id < t.first + min(t.events, ${CHANGES_MAX})
ORDER BY t.tx DESC, e.id`;

const MORE_SQL = `SELECT ${CHANGE} FROM _capsule_events e WHERE e.id >= ? AND e.id < ? ORDER BY e.id`;

const SOURCES: Record<string, string> = { trigger: "application", lua: "Lua", undo: "undo", sync: "another device" };

interface Change {
  id: number;
  operation: "INSERT" | "UPDATE" | "DELETE";
  table_name: string;
  row_id: number | null;
  old_data: string | null;
  new_data: string | null;
  timestamp: string;
  transaction_id: string;
  source: string;
}

interface Logged extends Change {
  tx: number;
  /** Number of the first change, and how many there are. */
  first: number;
  events: number;
  /** Transaction that this one answers. */
  cause: number | null;
}

type Image = Record<string, unknown>;

export class EventLog {
  readonly #db: GlyphCase;
  readonly #list = byId("c-log");
  readonly #elements = new Map<number, HTMLElement>();
  /** Pages that were left for an older one, by the number that their transactions are below. */
  readonly #newer: number[] = [];
  #before = Number.MAX_SAFE_INTEGER;
  /** Number that those of the next older page are below. */
  #older: number | undefined;
  live: LiveQuery<Logged>;

  constructor(db: GlyphCase) {
    this.#db = db;
    this.live = this.#follow();
    byId("c-log-older").addEventListener("click", () => {
      if (this.#older === undefined) return;
      this.#newer.push(this.#before);
      this.#go(this.#older);
    });
    byId("c-log-newer").addEventListener("click", () => this.#go(this.#newer.pop() ?? Number.MAX_SAFE_INTEGER));
  }

  #go(before: number): void {
    this.#before = before;
    this.live.close();
    this.live = this.#follow();
    this.#list.scrollTop = 0;
  }

  #follow(): LiveQuery<Logged> {
    const live = this.#db.live<Logged>(LOG_SQL, [this.#before]);
    let isFirst = true;
    live.subscribe(({ rows, reset }) => {
      if (reset === true) this.#elements.clear();
      this.#show(rows, isFirst || reset === true);
      isFirst = false;
    });
    return live;
  }

  #show(rows: readonly Logged[], isFirst: boolean): void {
    const all = new Map<number, Logged[]>();
    for (const row of rows) all.set(row.tx, [...(all.get(row.tx) ?? []), row]);
    const transactions = [...all].slice(0, TRANSACTIONS_MAX);
    const last = transactions.at(-1)?.[0];
    this.#older = all.size > TRANSACTIONS_MAX ? last : undefined;
    for (const tx of [...this.#elements.keys()]) {
      if (!transactions.some(([number]) => number === tx)) this.#drop(tx);
    }
    for (const changed of this.#list.querySelectorAll("[data-changed]")) changed.removeAttribute("data-changed");
    // What is there stays as it is: a transaction that is over does not change.
    let next = this.#list.firstElementChild;
    for (const [tx, changes] of transactions) {
      let element = this.#elements.get(tx);
      if (element === undefined) {
        element = this.#transaction(changes);
        element.toggleAttribute("data-changed", !isFirst);
        this.#elements.set(tx, element);
      }
      if (element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(element, next);
    }
    // Left over from a database that was replaced.
    while (next !== null) {
      const { nextElementSibling } = next;
      next.remove();
      next = nextElementSibling;
    }
    const page = this.#newer.length * TRANSACTIONS_MAX;
    const { length } = transactions;
    byId("c-log-page").textContent =
      page === 0 ? (length < TRANSACTIONS_MAX ? "" : `last ${length}`) : `${count(page + 1)}–${count(page + length)}`;
    byId<HTMLButtonElement>("c-log-newer").disabled = this.#newer.length === 0;
    byId<HTMLButtonElement>("c-log-older").disabled = this.#older === undefined;
  }

  #drop(tx: number): void {
    const element = this.#elements.get(tx);
    if (element?.contains(document.activeElement)) this.#list.focus({ preventScroll: true });
    element?.remove();
    this.#elements.delete(tx);
  }

  #transaction(changes: readonly Logged[]): HTMLElement {
    const [{ tx, first, events, cause, source, timestamp, transaction_id }] = changes as [Logged];
    const said = el("div", { class: "c-blocked", testid: "c-blocked", role: "alert" });
    const undo = el(
      "button",
      { type: "button", class: "quiet small", testid: "c-undo", "aria-label": `Undo transaction ${tx}` },
      "Undo",
    );
    undo.addEventListener("click", () => void this.#undo(transaction_id, undo, said));
    const list = el("ul", {}, ...changes.map(changeView));
    return el(
      "li",
      { testid: "c-tx", "data-tx": String(tx), "data-source": source, id: `c-tx-${tx}` },
      el(
        "header",
        {},
        el("strong", {}, `#${tx}`),
        el("span", { class: "source", title: `source: ${source}` }, SOURCES[source] ?? source),
        cause !== null && this.#link(cause, `because of #${cause}`, "c-cause"),
        el("time", {}, timeOf(timestamp)),
        el("span", { class: "spacer" }),
        undo,
      ),
      list,
      events > changes.length && this.#more(list, first, first + events, first + changes.length),
      said,
    );
  }

  /** Button that leads to another transaction, where it is on this page. */
  #link(tx: number, label: string, testid: string): HTMLElement {
    const onclick = () => {
      const element = this.#elements.get(tx);
      element?.scrollIntoView({ block: "nearest" });
      element?.querySelector<HTMLElement>("[data-testid=c-undo]")?.focus({ preventScroll: true });
    };
    return el("button", { type: "button", class: "link", testid, onclick }, label);
  }

  /** Button that shows more changes of a long transaction. */
  #more(list: HTMLElement, first: number, end: number, shown: number): HTMLElement {
    const button = el("button", { type: "button", class: "link", testid: "c-more" });
    const say = () => {
      button.textContent = `${counted(end - shown, "more change")} of ${count(end - first)}`;
    };
    button.addEventListener("click", () => {
      const from = shown;
      shown = Math.min(end, from + MORE_MAX);
      void this.#db.query<Change>(MORE_SQL, [from, shown]).then((changes) => {
        list.append(...changes.map(changeView));
        if (shown < end) return say();
        button.remove();
      });
    });
    say();
    return button;
  }

  async #undo(id: string, button: HTMLButtonElement, said: HTMLElement): Promise<void> {
    try {
      const result = await this.#db.undo(id);
      if (result.undone) {
        button.disabled = true;
        button.textContent = "Undone";
        said.replaceChildren();
        return;
      }
      const [first, ...others] = result.blockers;
      if (first === undefined) return;
      const by = Number(first.transactionId?.split("-").at(-1) ?? 0);
      said.replaceChildren(
        `Blocked: ${first.table} ${String(first.key)} has changed since`,
        ...(by > 0 ? [", by ", this.#link(by, `#${by}`, "c-blocker")] : []),
        others.length > 0
          ? `. So ${others.length === 1 ? "has" : "have"} ${counted(others.length, "other row")}.`
          : ".",
      );
    } catch (error) {
      said.textContent = `Refused: ${problemOf(error).message}`;
    }
  }
}

function changeView({ operation, table_name, row_id, old_data, new_data }: Change): HTMLElement {
  const [before, after] = [imageOf(old_data), imageOf(new_data)];
  const columns = Object.keys({ ...before, ...after });
  const isChanged = (column: string) => JSON.stringify(before?.[column]) !== JSON.stringify(after?.[column]);
  // What differs comes first, and strong.
  const sorted = [...columns.filter(isChanged), ...columns.filter((column) => !isChanged(column))];
  return el(
    "li",
    { testid: "c-change", "data-operation": operation },
    el("span", { class: "operation" }, operation),
    el("code", { class: "row" }, `${table_name} ${row_id ?? ""}`),
    el(
      "span",
      { class: "columns" },
      ...sorted.map((column) =>
        el(
          "span",
          { class: isChanged(column) ? "column differs" : "column" },
          el("span", { class: "name" }, `${column} `),
          before !== undefined && (isChanged(column) || after === undefined) && el("del", {}, show(before[column])),
          before !== undefined && after !== undefined && isChanged(column) && el("span", { class: "to" }, " → "),
          after !== undefined && el("ins", {}, show(after[column])),
        ),
      ),
    ),
  );
}

function imageOf(text: string | null): Image | undefined {
  return text === null ? undefined : (JSON.parse(text) as Image);
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Time of day of a time in UTC. */
function timeOf(timestamp: string): string {
  return new Date(`${timestamp.replace(" ", "T")}Z`).toLocaleTimeString("en-GB");
}
