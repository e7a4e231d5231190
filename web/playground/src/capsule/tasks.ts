/** The list of tasks, and the form that adds one. */
import type { GlyphCase, LiveQuery } from "perilune/capsule";
import { byId, el } from "../view/dom.ts";
import { count, counted } from "../view/format.ts";
import { problemOf, problemView } from "./problem.ts";
import { RowList } from "./rows.ts";

/** Tasks on a page. */
export const TASKS_MAX = 50;

export const TASKS_SQL = "SELECT id, title, slug, user_id, done FROM tasks ORDER BY id DESC";

export interface Task {
  id: number;
  title: string;
  slug: string | null;
  user_id: number;
  done: number;
}

export class Tasks {
  readonly #db: GlyphCase;
  readonly #goTo: (line: number) => void;
  readonly #form = byId<HTMLFormElement>("c-form");
  readonly #title = byId<HTMLInputElement>("c-title");
  readonly #user = byId<HTMLSelectElement>("c-user");
  readonly #refusal = byId("c-refusal");
  readonly #rows: RowList<Task>;
  readonly live: LiveQuery<Task>;
  readonly #names = new Map<number, string>();
  #offset = 0;
  #total = 0;

  constructor(db: GlyphCase, goTo: (line: number) => void) {
    this.#db = db;
    this.#goTo = goTo;
    this.#rows = new RowList(byId("c-list"), {
      make: (task) => this.#make(task),
      change: (element, task) => this.#change(element, task),
    });
    this.live = db.live<Task>(TASKS_SQL, [], { limit: TASKS_MAX });
    this.live.subscribe((update) => {
      this.#rows.show(update);
      this.#showWindow();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#add();
    });
    this.#title.addEventListener("input", () => this.#refuse(undefined));
    byId("c-newer").addEventListener("click", () => void this.#move(this.#offset - TASKS_MAX));
    byId("c-older").addEventListener("click", () => void this.#move(this.#offset + TASKS_MAX));
  }

  /** Takes the users there are, and how many tasks they have. */
  users(users: readonly { id: number; name: string; open: number; done: number }[]): void {
    const chosen = this.#user.value;
    const names = users.map(({ id, name }) => `${id} ${name}`).join();
    if (names !== [...this.#names].map(([id, name]) => `${id} ${name}`).join()) {
      this.#names.clear();
      for (const { id, name } of users) this.#names.set(id, name);
      this.#user.replaceChildren(...users.map(({ id, name }) => el("option", { value: String(id) }, name)));
      if (this.#names.has(Number(chosen))) this.#user.value = chosen;
      for (const who of byId("c-list").querySelectorAll<HTMLElement>(".who"))
        who.textContent = this.#names.get(Number(who.dataset["user"])) ?? "";
    }
    this.#total = users.reduce((sum, { open, done }) => sum + open + done, 0);
    byId("c-total").textContent = counted(this.#total, "row");
    this.#showWindow();
  }

  nameOf(user: number): string {
    return this.#names.get(user) ?? "Somebody";
  }

  async #add(): Promise<void> {
    const title = this.#title.value;
    try {
      await this.#db.insert("tasks", { title, user_id: Number(this.#user.value) });
      if (this.#title.value === title) this.#title.value = "";
      this.#refuse(undefined);
      if (this.#offset > 0) await this.#move(0);
    } catch (error) {
      this.#refuse(error);
    }
    this.#title.focus();
  }

  /** Makes a change of a task; one that is refused is told, and the row is shown as it is. */
  async #do(work: () => Promise<unknown>, otherwise: () => void): Promise<void> {
    try {
      await work();
      this.#refuse(undefined);
    } catch (error) {
      otherwise();
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    const refused = error !== undefined;
    this.#title.toggleAttribute("aria-invalid", refused);
    if (refused) this.#title.setAttribute("aria-invalid", "true");
    this.#refusal.replaceChildren(...(refused ? [problemView(problemOf(error), this.#goTo)] : []));
  }

  async #move(offset: number): Promise<void> {
    this.#offset = Math.max(0, offset);
    await this.live.move(TASKS_MAX, this.#offset);
    byId("c-list").scrollTop = 0;
    this.#showWindow();
  }

  #showWindow(): void {
    const { length } = this.live.rows;
    // All that was on this page is gone.
    if (length === 0 && this.#offset > 0 && this.#total > 0) return void this.#move(0);
    const whole = this.#offset === 0 && this.#total <= TASKS_MAX;
    byId("c-window").textContent = whole ? "" : `${count(this.#offset + 1)}–${count(this.#offset + length)}`;
    byId<HTMLButtonElement>("c-newer").disabled = this.#offset === 0;
    byId<HTMLButtonElement>("c-older").disabled = this.#offset + length >= this.#total;
  }

  #make(task: Task): HTMLElement {
    const box = el("input", { type: "checkbox" });
    const remove = el("button", { type: "button", class: "quiet small remove" }, "Delete");
    const { id } = task;
    box.addEventListener("change", () => {
      const done = box.checked ? 1 : 0;
      void this.#do(
        () => this.#db.update("tasks", id, { done }),
        () => (box.checked = done === 0),
      );
    });
    remove.addEventListener(
      "click",
      () =>
        void this.#do(
          () => this.#db.delete("tasks", id),
          () => {},
        ),
    );
    const item = el(
      "li",
      { testid: "c-task", "data-id": String(id) },
      el("label", {}, box, el("span", { class: "title" })),
      el("span", { class: "who" }),
      el("code", { class: "slug" }),
      remove,
    );
    this.#change(item, task);
    return item;
  }

  #change(item: HTMLElement, { title, slug, user_id, done }: Task): void {
    const part = (selector: string) => item.querySelector<HTMLElement>(selector)!;
    item.querySelector("input")!.checked = done === 1;
    item.toggleAttribute("data-done", done === 1);
    part(".title").textContent = title;
    part(".who").textContent = this.#names.get(user_id) ?? "";
    part(".who").dataset["user"] = String(user_id);
    part(".slug").textContent = slug ?? "no slug";
    part(".slug").toggleAttribute("data-none", slug === null);
    part(".remove").setAttribute("aria-label", `Delete ${title}`);
  }
}
