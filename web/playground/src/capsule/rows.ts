/**
 * Rows of a live query on the screen, changed by its patches.
 *
 * Invariant: the children of the list are the rows of the query, in their order. What did not change is not
 * touched, so focus stays where it is.
 */
import type { LiveUpdate, Patch } from "perilune/capsule";

/** Makes elements of rows, and changes them. */
export interface RowViews<T> {
  make(row: T): HTMLElement;
  change(element: HTMLElement, row: T): void;
}

export class RowList<T extends object> {
  readonly #list: HTMLElement;
  readonly #views: RowViews<T>;

  constructor(list: HTMLElement, views: RowViews<T>) {
    this.#list = list;
    this.#views = views;
    list.addEventListener("animationend", ({ target }) => (target as HTMLElement).removeAttribute("data-changed"));
  }

  /** Shows an update of the query; the first one, and one of another database, is all rows. */
  show({ rows, patches }: Pick<LiveUpdate<T>, "rows" | "patches">): void {
    if (patches.length === 0) return this.#list.replaceChildren(...rows.map((row) => this.#views.make(row)));
    for (const changed of this.#list.querySelectorAll("[data-changed]")) changed.removeAttribute("data-changed");
    for (const patch of patches) this.#apply(patch);
  }

  #apply(patch: Patch<T>): void {
    const list = this.#list;
    const element = list.children[patch.op === "move" ? patch.from : patch.at] as HTMLElement | undefined;
    switch (patch.op) {
      case "insert": {
        const made = this.#views.make(patch.row);
        list.insertBefore(made, element ?? null);
        return mark(made);
      }
      case "update":
        if (element === undefined) return;
        this.#views.change(element, patch.row);
        return mark(element);
      case "delete": {
        // The keyboard's focus goes to the list, not to the beginning of the page.
        if (element?.contains(document.activeElement)) list.focus({ preventScroll: true });
        return element?.remove();
      }
      case "move":
        if (element === undefined) return;
        element.remove();
        list.insertBefore(element, list.children[patch.at] ?? null);
    }
  }
}

/** Shows that a row has changed, for a moment: also one that is still shown so. */
function mark(element: HTMLElement): void {
  element.removeAttribute("data-changed");
  void element.offsetWidth;
  element.setAttribute("data-changed", "");
}
