/** List of the external tables: their names and sizes. The entries of the chosen one are `Rows`. */
import type { TableSummary } from "../protocol.ts";
import { byId, el } from "./dom.ts";
import { count, size } from "./format.ts";
import type { Rows } from "./rows.ts";

export class Inspector {
  readonly #list = byId("tables");
  readonly #total = byId("tables-total");
  readonly #rows: Rows;
  #tables: TableSummary[] = [];
  #selected: string | undefined;
  /** True once the user has chosen: another table's change does not take the view away then. */
  #chosen = false;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** Follows changes again, after another program was opened. */
  follow(): void {
    this.#chosen = false;
  }

  /** Shows the tables as they are now; `changed`: those that the last run wrote to. */
  show(tables: TableSummary[], changed: readonly string[] = []): Promise<void> {
    this.#tables = tables;
    const names = tables.map(({ name }) => name);
    const wanted = changed.find((name) => names.includes(name));
    if (!this.#chosen && wanted !== undefined && !changed.includes(this.#selected ?? "")) this.#selected = wanted;
    if (this.#selected === undefined || !names.includes(this.#selected)) {
      this.#selected = wanted ?? names[0];
      this.#chosen = false;
    }
    this.#draw(changed);
    return this.#rows.show(this.#summary());
  }

  #summary(): TableSummary | undefined {
    return this.#tables.find(({ name }) => name === this.#selected);
  }

  #select(name: string): void {
    this.#selected = name;
    this.#chosen = true;
    for (const item of this.#list.querySelectorAll("button")) {
      item.setAttribute("aria-pressed", String(item.dataset["name"] === name));
    }
    void this.#rows.show(this.#summary());
  }

  /** Scrolls the list, and nothing but the list. */
  #revealSelected(): void {
    const button = this.#list.querySelector<HTMLElement>('[aria-pressed="true"]');
    if (button === null) return;
    const [list, item] = [this.#list.getBoundingClientRect(), button.getBoundingClientRect()];
    if (item.top < list.top) this.#list.scrollTop -= list.top - item.top + 6;
    else if (item.bottom > list.bottom) this.#list.scrollTop += item.bottom - list.bottom + 6;
  }

  #draw(changed: readonly string[]): void {
    const focused = (document.activeElement as HTMLElement | null)?.dataset["name"];
    this.#total.textContent = count(this.#tables.length);
    const items = this.#tables.map(({ name, entries, bytes }) => {
      const button = el(
        "button",
        {
          type: "button",
          "aria-pressed": String(name === this.#selected),
          "data-name": name,
          "data-changed": changed.includes(name),
          testid: `table-${name}`,
          onclick: () => this.#select(name),
        },
        el("span", { class: "name" }, name),
        el("span", { class: "entries" }, count(entries)),
        el("span", { class: "bytes" }, size(bytes)),
      );
      return el("li", {}, button);
    });
    const empty = el(
      "li",
      { class: "empty" },
      "No tables yet. A program makes one with ",
      el("code", {}, 'ext.table("name")'),
      ".",
    );
    this.#list.replaceChildren(...(items.length > 0 ? items : [empty]));
    this.#revealSelected();
    if (focused === undefined) return;
    this.#list.querySelector<HTMLElement>(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  }
}
