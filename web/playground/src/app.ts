/**
 * The flow of the page: opening, running, stopping, reloading.
 *
 * Invariant: `#state` says what the VM is doing, and `body[data-state]` says the same to the styles.
 */
import { Client, Stopped, failureOf, type VmClient } from "./client.ts";
import { draftOf, keepDraft, lastProgram, rememberProgram } from "./drafts.ts";
import { Editor } from "./editor/editor.ts";
import { openVm, SUCCESSION_MS } from "./opening.ts";
import type { Program } from "./programs.ts";
import type { Notice, Overview } from "./protocol.ts";
import { MemoryChart } from "./view/chart.ts";
import { CommitState } from "./view/commit.ts";
import { byId } from "./view/dom.ts";
import { counted } from "./view/format.ts";
import { Inspector } from "./view/inspector.ts";
import { Outcome } from "./view/outcome.ts";
import { ProgramList } from "./view/programs.ts";
import { Rows } from "./view/rows.ts";
import { hideTrouble, showTrouble } from "./view/trouble.ts";

const STORAGE = "idb://perilune-demo";
const MEMORY = "memory://";

/** Time after which a running program gets a button that stops it, in milliseconds. */
const STOP_AFTER_MS = 250;

type State = "opening" | "ready" | "running" | "trouble";

export class App {
  readonly #client: VmClient = new Client("./worker.js", (notice: Notice) => this.#hear(notice));
  readonly #editor = new Editor(
    byId("editor-host"),
    { onRun: () => void this.#run(), onEdit: (text) => this.#edited(text) },
    { label: "Lua program", testid: "editor", describedBy: "editor-help", kind: "page" },
  );
  readonly #programs = new ProgramList((program) => this.#open(program));
  readonly #outcome = new Outcome((line) => this.#editor.goTo(line));
  readonly #chart = new MemoryChart();
  readonly #commit = new CommitState();
  readonly #inspector = new Inspector(new Rows(this.#client, (overview) => void this.#show(overview)));
  #program: Program = lastProgram();
  #state: State = "opening";
  #storage = STORAGE;
  /** Tables that the current run has written to. */
  #changed: string[] = [];

  async start(): Promise<void> {
    const mac = /Mac|iPhone|iPad/.test(navigator.userAgent);
    byId("run-keys").textContent = mac ? "\u2318 \u21a9" : "Ctrl \u21a9";
    byId("run").addEventListener("click", () => void this.#run());
    byId("stop").addEventListener("click", () => void this.#stop());
    byId("gc").addEventListener("click", () => void this.#collect());
    byId("revert").addEventListener("click", () => this.#revert());
    this.#open(this.#program);
    await this.#openVm(STORAGE);
  }

  #open(program: Program): void {
    this.#program = program;
    rememberProgram(program);
    this.#editor.open(draftOf(program));
    this.#changed = [];
    this.#inspector.follow();
    this.#programs.show(program, draftOf(program) !== program.source);
  }

  #edited(text: string): void {
    keepDraft(this.#program, text);
    this.#programs.show(this.#program, text !== this.#program.source);
  }

  #revert(): void {
    keepDraft(this.#program, this.#program.source);
    this.#open(this.#program);
  }

  async #openVm(storage: string, patienceMs = 0): Promise<void> {
    this.#enter("opening");
    hideTrouble();
    this.#storage = storage;
    try {
      const { overview } = await openVm(this.#client, storage, patienceMs);
      this.#commit.start(storage !== MEMORY);
      this.#chart.add(overview.memory, "open");
      this.#enter("ready");
      await this.#show(overview, "restored");
    } catch (error) {
      if (error instanceof Stopped) return;
      this.#enter("trouble");
      this.#commit.unavailable();
      showTrouble(failureOf(error), {
        onRetry: () => void this.#openVm(STORAGE),
        onMemory: () => void this.#openVm(MEMORY),
      });
    }
  }

  async #run(): Promise<void> {
    if (this.#state !== "ready") return;
    this.#enter("running");
    this.#changed = [];
    this.#outcome.begin();
    this.#editor.mark(undefined, "");
    const slow = setTimeout(() => this.#offerStop(true), STOP_AFTER_MS);
    try {
      const ran = await this.#client.call("run", { source: this.#editor.text });
      // Nothing is left that could be stopped.
      clearTimeout(slow);
      this.#offerStop(false);
      this.#outcome.finish(ran);
      this.#chart.add(ran.overview.memory, "run");
      if (ran.failure !== undefined) this.#editor.mark(ran.failure.line, ran.failure.message);
      await this.#show(ran.overview);
      this.#enter("ready");
    } catch (error) {
      if (!(error instanceof Stopped)) await this.#replaceVm(failureOf(error).message);
    } finally {
      clearTimeout(slow);
      this.#offerStop(false);
    }
  }

  /** Ends a program that does not end by itself, and with it its VM. */
  async #stop(): Promise<void> {
    this.#client.restart();
    this.#outcome.stopped();
    await this.#openVm(this.#storage, SUCCESSION_MS);
    byId("run").focus();
  }

  /** Shows that the VM answers no more. */
  async #replaceVm(message: string): Promise<void> {
    this.#outcome.broken(`${message}. The VM was replaced by a fresh one.`);
    this.#client.restart();
    await this.#openVm(this.#storage, SUCCESSION_MS);
  }

  async #collect(): Promise<void> {
    if (this.#state !== "ready") return;
    const { memory } = await this.#client.call("gc", null);
    this.#chart.add(memory, "gc");
  }

  /** Has everything committed before the page reloads: no reload waits for a commit. */
  async flush(): Promise<void> {
    if (this.#state === "ready") await this.#client.call("flush", null).catch(() => {});
  }

  #hear(notice: Notice): void {
    switch (notice.event) {
      case "output":
        return this.#outcome.write(notice.parts);
      case "output-cut":
        return this.#outcome.cut(notice.characters);
      case "change":
        this.#changed.push(...notice.tables);
        return this.#commit.accepted(notice.tables.length);
      case "commit":
        return this.#commit.committed(notice.entries, notice.pendingBytes);
      case "storage-error":
        return this.#commit.failed(notice.message);
    }
  }

  /** Shows the tables and their number; `how` says how they came to be there. */
  #show({ tables }: Overview, how = ""): Promise<void> {
    const entries = tables.reduce((sum, table) => sum + table.entries, 0);
    const sum = `${counted(tables.length, "table")}, ${counted(entries, "entry", "entries")} ${how}`;
    const element = byId("restored");
    element.textContent = tables.length === 0 ? "Nothing stored yet" : sum.trim();
    element.toggleAttribute("data-restored", how !== "" && tables.length > 0);
    return this.#inspector.show(tables, this.#changed);
  }

  #offerStop(offered: boolean): void {
    byId("stop").hidden = !offered;
    byId("run").hidden = offered;
  }

  #enter(state: State): void {
    this.#state = state;
    document.body.dataset["state"] = state;
    for (const id of ["run", "gc"]) byId<HTMLButtonElement>(id).disabled = state !== "ready";
  }
}
