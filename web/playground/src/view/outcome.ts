/** Outcome of a run: its output as it is written, then its results or its error. */
import type { Failure, OutputPart, Ran } from "../protocol.ts";
import { byId, el } from "./dom.ts";
import { count, counted, time } from "./format.ts";
import { valueView } from "./values.ts";

export class Outcome {
  readonly #output = byId("output");
  readonly #outcome = byId("outcome");
  readonly #status = byId("run-status");
  readonly #goTo: (line: number) => void;

  constructor(goTo: (line: number) => void) {
    this.#goTo = goTo;
  }

  /** Begins a run: clears the last one. */
  begin(): void {
    this.#output.replaceChildren();
    this.#outcome.replaceChildren();
    this.#output.scrollTop = 0;
    this.#say("running", "Running");
  }

  /** Shows more output. */
  write(parts: OutputPart[]): void {
    for (const { stream, text } of parts) {
      this.#output.append(el("span", { class: stream, testid: stream }, text));
    }
  }

  /** Shows that output was left out. */
  cut(characters: number): void {
    this.#output.append(el("p", { class: "note" }, `${count(characters)} more characters are not shown.`));
  }

  /** Shows the end of a run that ended by itself. */
  finish({ failure, results, ms }: Ran): void {
    if (this.#output.childElementCount === 0) {
      this.#output.append(el("p", { class: "note" }, "The program wrote nothing."));
    }
    if (failure !== undefined) {
      this.#say("failed", `${failure.kind} error`, ms);
      this.#outcome.append(this.#error(failure));
    } else {
      this.#say("ok", results.length === 0 ? "Done" : counted(results.length, "result"), ms);
      if (results.length > 0) this.#outcome.append(resultList(results));
    }
    this.#outcome.scrollTop = 0;
  }

  /** Shows that the run was stopped. */
  stopped(): void {
    this.#say("failed", "Stopped");
    this.#outcome.append(
      el("p", { class: "note" }, "The VM was replaced by a fresh one. Tables are as they were committed last."),
    );
  }

  /** Shows a message that is no outcome of a program. */
  broken(message: string): void {
    this.#say("failed", "Failed");
    this.#outcome.append(el("p", { class: "note", role: "alert" }, message));
  }

  #say(state: string, text: string, ms?: number): void {
    this.#status.dataset["state"] = state;
    const elapsed = ms === undefined ? undefined : el("span", { class: "elapsed", testid: "elapsed" }, time(ms));
    this.#status.replaceChildren(el("span", {}, text), ...(elapsed === undefined ? [] : [elapsed]));
  }

  #error({ name, kind, message, line, traceback, value }: Failure): HTMLElement {
    return el(
      "section",
      { class: "error", testid: "error", role: "alert" },
      el(
        "header",
        {},
        el("strong", { testid: "error-name" }, name),
        el("span", { class: "kind", testid: "error-kind" }, kind),
        line !== undefined && this.#lineLink(line),
      ),
      el("p", { class: "message", testid: "error-message" }, message),
      value !== undefined && el("div", { class: "error-value" }, "value ", valueView(value, true)),
      traceback !== undefined && el("pre", { class: "traceback", testid: "traceback", tabindex: "0" }, traceback),
    );
  }

  #lineLink(line: number): HTMLElement {
    const onclick = () => this.#goTo(line);
    return el("button", { class: "link", type: "button", testid: "error-goto", onclick }, `line ${line}`);
  }
}

function resultList(results: Ran["results"]): HTMLElement {
  const items = results.map((value) => el("li", { testid: "result" }, valueView(value)));
  return el("ol", { class: "results", testid: "results", "aria-label": "Results" }, ...items);
}
