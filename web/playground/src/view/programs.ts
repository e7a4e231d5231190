/** The list of programs. */
import { PROGRAMS, type Program } from "../programs.ts";
import { byId, el } from "./dom.ts";

export class ProgramList {
  readonly #list = byId("programs");

  constructor(onOpen: (program: Program) => void) {
    this.#list.replaceChildren(
      ...PROGRAMS.map((program) =>
        el(
          "li",
          {},
          el(
            "button",
            { type: "button", "data-id": program.id, testid: `program-${program.id}`, onclick: () => onOpen(program) },
            el("span", { class: "name" }, program.title),
            el("span", { class: "about" }, program.about),
          ),
        ),
      ),
    );
  }

  /** Marks the program that is open, and says whether it was changed. */
  show(open: Program, changed: boolean): void {
    for (const button of this.#list.querySelectorAll("button")) {
      const current = button.dataset["id"] === open.id;
      if (current) {
        button.setAttribute("aria-current", "true");
        button.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else {
        button.removeAttribute("aria-current");
      }
    }
    byId("program-title").textContent = open.title;
    byId("revert").hidden = !changed;
  }
}
