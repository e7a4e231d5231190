/** The number of tasks of each user, by a live query with GROUP BY. */
import type { GlyphCase, LiveQuery } from "perilune/capsule";
import { byId, el } from "../view/dom.ts";
import { count } from "../view/format.ts";
import { RowList } from "./rows.ts";

export const COUNTS_SQL = `SELECT u.id, u.name, u.latest, count(t.id) FILTER (WHERE t.done = 0) AS open,
  count(t.id) FILTER (WHERE t.done = 1) AS done
FROM users u LEFT JOIN tasks t ON t.user_id = u.id GROUP BY u.id ORDER BY u.id`;

export interface Count {
  id: number;
  name: string;
  latest: string | null;
  open: number;
  done: number;
}

export class Counts {
  readonly live: LiveQuery<Count>;

  constructor(db: GlyphCase, onRows: (rows: readonly Count[]) => void) {
    const rows = new RowList<Count>(byId("c-counts"), { make, change });
    this.live = db.live<Count>(COUNTS_SQL);
    this.live.subscribe((update) => {
      rows.show(update);
      onRows(update.rows);
    });
  }
}

function make(row: Count): HTMLElement {
  const item = el(
    "li",
    { testid: "c-count" },
    el("span", { class: "name" }),
    el("span", { class: "bar", "aria-hidden": "true" }, el("i", { class: "done" }), el("i", { class: "open" })),
    el("span", { class: "sums" }, el("b", { class: "of-done" }), el("b", { class: "of-open" })),
    el("span", { class: "latest" }),
  );
  change(item, row);
  return item;
}

function change(item: HTMLElement, { id, name, latest, open, done }: Count): void {
  const say = (selector: string, text: string) => {
    item.querySelector(selector)!.textContent = text;
  };
  item.dataset["user"] = String(id);
  item.dataset["open"] = String(open);
  item.dataset["done"] = String(done);
  item.style.setProperty("--done", String(done));
  item.style.setProperty("--open", String(open));
  say(".name", name);
  say(".of-done", `${count(done)} done`);
  say(".of-open", `${count(open)} open`);
  say(".latest", latest === null ? "none finished yet" : `last: ${latest}`);
}
