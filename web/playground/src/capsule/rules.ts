/** The rules in their editor: edited, activated, refused. */
import type { GlyphCase } from "perilune/capsule";
import { draftOf, keepDraft } from "../drafts.ts";
import { Editor } from "../editor/editor.ts";
import { byId, el } from "../view/dom.ts";
import { activate, FILE, MOD, ORIGINAL } from "./database.ts";
import { problemOf, problemView, type Problem } from "./problem.ts";

/** Name of the draft among those of the page. */
const DRAFT = "capsule-rules";
/** Lines of output that are kept. */
const PRINTED_MAX = 200;

/** Event that tells other tabs. */
const ACTIVATED = "rules:activated";

interface Installed {
  version: string;
  source: string | null;
}

const SQL = "SELECT version, files ->> ? AS source FROM _capsule_mods WHERE name = ?";
const PARAMS = [`$."${FILE}"`, MOD];

export class Rules {
  readonly #editor = new Editor(
    byId("c-editor"),
    { onRun: () => void this.#activate(), onEdit: (text) => this.#edited(text) },
    { label: "Rules of the tasks, in Lua", testid: "c-rules", describedBy: "c-editor-help", kind: "page" },
  );
  readonly #said = byId("c-said");
  readonly #printed = byId("c-printed");
  #db: GlyphCase | undefined;
  /** The rules that are active. */
  #active = ORIGINAL;
  #isActivating = false;

  constructor() {
    byId("c-activate").addEventListener("click", () => void this.#activate());
    byId("c-original").addEventListener("click", () => this.#open(ORIGINAL));
    this.#editor.open(ORIGINAL);
  }

  /** Follows the rules of the database, whoever activates others: this tab, another one, an import. */
  async follow(db: GlyphCase): Promise<void> {
    this.#db = db;
    db.getEventBus().on(ACTIVATED, () => void this.#look());
    const live = db.live<Installed>(SQL, PARAMS);
    const [installed] = await live.ready;
    this.#active = installed?.source ?? "";
    this.#open(draftOf({ id: DRAFT, source: this.#active }));
    live.subscribe(({ rows: [installed] }) => this.#take(installed));
  }

  /** Shows a line of the rules. */
  goTo = (line: number): void => this.#editor.goTo(line);

  /** Shows an error of the rules that no call has waited for, as of a reaction. */
  complain(problem: Problem): void {
    this.#said.replaceChildren(problemView(problem, this.goTo));
    this.#editor.mark(problem.line, problem.message);
  }

  /** Shows what the rules have printed. */
  print(text: string): void {
    const printed = this.#printed;
    printed.hidden = false;
    printed.append(el("span", {}, text));
    while (printed.childElementCount > PRINTED_MAX) printed.firstElementChild?.remove();
    printed.scrollTop = printed.scrollHeight;
  }

  async #activate(): Promise<void> {
    const db = this.#db;
    if (db === undefined || this.#isActivating) return;
    this.#isActivating = true;
    this.#editor.mark(undefined, "");
    const source = this.#editor.text;
    try {
      await activate(db, source);
      await this.#look();
      await db.getEventBus().emit(ACTIVATED);
      this.#said.replaceChildren(
        el("span", { class: "good" }, "Active from the next statement on, whoever writes it."),
      );
    } catch (error) {
      const { message, ...rest } = problemOf(error);
      this.complain({ ...rest, message: `${message}. The rules before go on.` });
    } finally {
      this.#isActivating = false;
    }
  }

  /** Reads the rules that are active: an installation is no change of rows, which a live query would tell. */
  async #look(): Promise<void> {
    this.#take(await this.#db?.queryOne<Installed>(SQL, PARAMS));
  }

  #take(installed: Installed | undefined): void {
    const source = installed?.source ?? "";
    const version = byId("c-version");
    version.textContent = installed === undefined ? "none" : versionText(installed.version);
    const isEdited = this.#editor.text !== this.#active;
    this.#active = source;
    // What somebody writes here stays, and becomes a change of the new ones.
    if (isEdited || this.#editor.text === source) this.#edited(this.#editor.text);
    else this.#open(source);
  }

  #open(source: string): void {
    this.#editor.open(source);
    this.#edited(source);
  }

  #edited(text: string): void {
    if (this.#db === undefined) return;
    keepDraft({ id: DRAFT, source: this.#active }, text);
    const isActive = text === this.#active;
    byId<HTMLButtonElement>("c-activate").disabled = isActive;
    byId("c-original").hidden = text === ORIGINAL;
    byId("c-rules-title").toggleAttribute("data-edited", !isActive);
  }
}

/** Text for a version, which is the time of its activation. */
function versionText(version: string): string {
  const time = new Date(version);
  return Number.isNaN(time.getTime()) ? version : `yours, of ${time.toLocaleTimeString("en-GB")}`;
}
