/** Entries of one table, a page at a time: a table of a million entries costs as much as one of fifty. */
import type { VmClient } from "../client.ts";
import type { Overview, Page, TableSummary } from "../protocol.ts";
import { confirmed } from "./confirm.ts";
import { byId, el } from "./dom.ts";
import { count, counted } from "./format.ts";
import { keyView, valueView } from "./values.ts";

const ROWS_PER_PAGE = 50;

export class Rows {
  readonly #client: VmClient;
  readonly #onChange: (overview: Overview) => void;
  readonly #section = byId("table");
  readonly #find = byId<HTMLInputElement>("find");
  #table: TableSummary | undefined;
  #offset = 0;
  #asked = 0;

  constructor(client: VmClient, onChange: (overview: Overview) => void) {
    this.#client = client;
    this.#onChange = onChange;
    this.#find.addEventListener("input", () => void this.#go(0));
    const to = (id: string, offset: () => number) => byId(id).addEventListener("click", () => void this.#go(offset()));
    to("page-first", () => 0);
    to("page-previous", () => this.#offset - ROWS_PER_PAGE);
    to("page-next", () => this.#offset + ROWS_PER_PAGE);
    to("page-last", () => Number.MAX_SAFE_INTEGER);
    byId("clear").addEventListener("click", () => void this.#remove("clear"));
    byId("drop").addEventListener("click", () => void this.#remove("drop"));
  }

  /** Shows a table, or the same one again after a run. */
  async show(table: TableSummary | undefined): Promise<void> {
    if (table?.name !== this.#table?.name) {
      this.#offset = 0;
      this.#find.value = "";
    }
    this.#table = table;
    this.#section.hidden = table === undefined;
    if (table === undefined) return;
    byId("table-name").textContent = table.name;
    byId("table-count").textContent = counted(table.entries, "entry", "entries");
    await this.#go(this.#offset);
  }

  async #go(offset: number): Promise<void> {
    const table = this.#table;
    if (table === undefined) return;
    const asked = ++this.#asked;
    const find = this.#find.value.trim();
    const args = { table: table.name, offset: Math.max(0, offset), limit: ROWS_PER_PAGE, find };
    // While a program runs the worker answers later, or never when it is stopped; what is shown stays.
    const page = await this.#client.call("page", args).catch(() => undefined);
    if (page === undefined || asked !== this.#asked) return;
    if (page.offset !== this.#offset) byId("rows-scroll").scrollTop = 0;
    this.#offset = page.offset;
    this.#draw(page);
  }

  #draw({ rows, offset, matching }: Page): void {
    byId("rows").replaceChildren(
      ...rows.map(({ key, value }) =>
        el(
          "tr",
          { testid: "row" },
          el("th", { scope: "row", "data-type": key.type }, keyView(key)),
          el("td", { "data-type": value.type }, valueView(value)),
        ),
      ),
    );
    const last = offset + rows.length;
    const none = this.#find.value.trim() === "" ? "No entries" : "No key matches";
    byId("page-range").textContent =
      matching === 0 ? none : `${count(offset + 1)}–${count(last)} of ${count(matching)}`;
    const enable = (id: string, enabled: boolean) => (byId<HTMLButtonElement>(id).disabled = !enabled);
    for (const id of ["page-first", "page-previous"]) enable(id, offset > 0);
    for (const id of ["page-next", "page-last"]) enable(id, last < matching);
    byId("pager").hidden =
      matching <= ROWS_PER_PAGE && this.#find.value === "" && (this.#table?.entries ?? 0) <= ROWS_PER_PAGE;
  }

  async #remove(command: "clear" | "drop"): Promise<void> {
    const table = this.#table;
    if (table === undefined) return;
    const what = counted(table.entries, "entry", "entries");
    const [verb, detail] =
      command === "clear"
        ? ["Clear", `Its ${what} will be gone for good. The table stays, empty.`]
        : ["Drop", `The table and its ${what} will be gone for good.`];
    if (!(await confirmed(`${verb} the table ${table.name}?`, detail, verb))) return;
    this.#onChange(await this.#client.call(command, { table: table.name }));
  }
}
