/** Short messages over the page, for what the rules dispatch. */
import { byId, el } from "../view/dom.ts";
import { counted } from "../view/format.ts";

/** Time for which a message is shown, in milliseconds. */
const SHOWN_MS = 5000;
/** Messages that are shown at once. */
const TOASTS_MAX = 3;
/** Messages of one turn that are shown one by one; of more, the first, and their number. */
const TOGETHER_MAX = 2;

export class Toasts {
  readonly #area = byId("c-toasts");
  #waiting: string[] = [];

  /** Shows a message; what comes in one turn is shown together. */
  show(text: string): void {
    if (this.#waiting.push(text) === 1) setTimeout(() => this.#showAll());
  }

  #showAll(): void {
    const texts = this.#waiting;
    this.#waiting = [];
    const shown =
      texts.length <= TOGETHER_MAX ? texts : [...texts.slice(0, 1), `and ${counted(texts.length - 1, "more task")}`];
    for (const text of shown) this.#add(text);
    while (this.#area.childElementCount > TOASTS_MAX) this.#area.firstElementChild?.remove();
  }

  #add(text: string): void {
    const toast = el("p", { testid: "c-toast" }, text);
    this.#area.append(toast);
    setTimeout(() => toast.remove(), SHOWN_MS);
  }
}
