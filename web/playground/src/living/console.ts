/** Console of the living program: code to run in its VM, and its outcome. */
import { Stopped, failureOf } from "../client.ts";
import { Editor } from "../editor/editor.ts";
import type { OutputPart } from "../protocol.ts";
import { byId, el } from "../view/dom.ts";
import { valueView } from "../view/values.ts";
import type { Evaluated } from "./protocol.ts";

const ENTRIES_MAX = 200;

const IDEAS: readonly (readonly [label: string, code: string])[] = [
  ["One fish more", "spawn(fish)"],
  ["Swim in circles", "function steer(self)\n  self.heading = self.heading + 0.05\nend"],
  ["Swim as before", "steer = school"],
  ["Bubbles, one by one", "for _ = 1, 40 do\n  spawn(bubble)\n  async.sleep(150)\nend"],
  ["Who is there?", "census()"],
];

export class Console {
  readonly #run: (source: string) => Promise<Evaluated>;
  readonly #log = byId("log");
  readonly #editor: Editor;

  constructor(run: (source: string) => Promise<Evaluated>) {
    this.#run = run;
    this.#editor = new Editor(
      byId("console-host"),
      { onRun: () => void this.#submit(this.#editor.text), onEdit: () => {} },
      { label: "Lua code for the living VM", testid: "console", describedBy: "console-help", kind: "line" },
    );
    this.#editor.open("");
    byId("console-run").addEventListener("click", () => void this.#submit(this.#editor.text));
    byId("ideas").replaceChildren(
      ...IDEAS.map(([label, code]) => {
        const onclick = () => void this.#submit(code);
        return el("li", {}, el("button", { type: "button", class: "quiet small", title: code, onclick }, label));
      }),
    );
  }

  /** Shows output of the program. */
  write(parts: OutputPart[]): void {
    for (const { stream, text } of parts)
      this.#add(el("pre", { class: stream, testid: `log-${stream}` }, text.trimEnd()));
  }

  /** Shows a message of the page. */
  note(text: string, bad = false): void {
    this.#add(el("p", { class: bad ? "note stderr" : "note" }, text));
  }

  async #submit(source: string): Promise<void> {
    if (source.trim() === "") return;
    if (source === this.#editor.text) this.#editor.open("");
    const answer = el("div", { class: "answer", testid: "answer" });
    this.#add(el("div", { class: "asked" }, el("pre", {}, source), answer));
    try {
      const { value, failure, waits } = await this.#run(source);
      if (failure !== undefined) answer.append(el("p", { class: "stderr", role: "alert" }, failure.message));
      else if (waits) answer.append(el("p", { class: "note" }, "waits, and goes on with the VM"));
      else answer.append(value === undefined ? el("p", { class: "note" }, "done") : valueView(value, true));
    } catch (error) {
      if (!(error instanceof Stopped)) answer.append(el("p", { class: "stderr" }, failureOf(error).message));
    }
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #add(entry: HTMLElement): void {
    this.#log.append(entry);
    while (this.#log.childElementCount > ENTRIES_MAX) this.#log.firstElementChild?.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
