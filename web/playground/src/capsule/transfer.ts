/** The whole database as a file: saved, opened, and begun anew. */
import type { GlyphCase } from "perilune/capsule";
import { confirmed } from "../view/confirm.ts";
import { byId, el } from "../view/dom.ts";
import { size } from "../view/format.ts";
import { pristine } from "./database.ts";
import { problemOf } from "./problem.ts";

/** Largest file that is opened, in bytes. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

export class Transfer {
  readonly #db: GlyphCase;
  readonly #said = byId("c-files-said");

  constructor(db: GlyphCase) {
    this.#db = db;
    const input = byId<HTMLInputElement>("c-file");
    byId("c-export").addEventListener("click", () => void this.#try(() => this.#export()));
    byId("c-import").addEventListener("click", () => input.click());
    byId("c-reset").addEventListener("click", () => void this.#try(() => this.#reset()));
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (file !== undefined) void this.#try(() => this.#import(file));
      input.value = "";
    });
  }

  async #export(): Promise<string> {
    const bytes = await this.#db.export();
    const href = URL.createObjectURL(new Blob([bytes], { type: "application/vnd.sqlite3" }));
    el("a", { href, download: "tasks.db" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    return `Saved as tasks.db, ${size(bytes.length)}. Any SQLite opens it.`;
  }

  async #import(file: File): Promise<string> {
    if (file.size > FILE_BYTES_MAX) throw new Error(`“${file.name}” is larger than ${size(FILE_BYTES_MAX)}`);
    await this.#db.import(await file.arrayBuffer());
    return `“${file.name}” is open: tasks, rules and events are those of the file.`;
  }

  async #reset(): Promise<string> {
    const detail = "Tasks, rules and events will be as at your first visit. What is there now will be gone for good.";
    if (!(await confirmed("Start over?", detail, "Start over"))) return "";
    await this.#db.import(await pristine());
    return "Everything is as at your first visit.";
  }

  /** Runs something, and shows what came of it. */
  async #try(work: () => Promise<string>): Promise<void> {
    try {
      this.#say("", await work());
    } catch (error) {
      this.#say("bad", `${problemOf(error).message}. Everything is as it was.`);
    }
  }

  #say(kind: string, text: string): void {
    this.#said.dataset["kind"] = kind;
    this.#said.textContent = text;
  }
}
