/** Panel for a storage that cannot be opened: the reason, and the ways out. */
import type { Failure } from "../protocol.ts";
import { byId, el } from "./dom.ts";

interface Choices {
  onRetry: () => void;
  onMemory: () => void;
}

const LOCKED_TITLE = "Perilune is open in another tab";
const LOCKED_TEXT =
  "One tab writes to a database at a time, so that none can overwrite what another has written. " +
  "Close the other tab and try again, or go on here with tables that last as long as this page.";

/** Shows the panel. */
export function showTrouble(failure: Failure, { onRetry, onMemory }: Choices): void {
  const locked = failure.code === "locked";
  const panel = byId("trouble");
  panel.hidden = false;
  panel.dataset["code"] = failure.code ?? failure.kind;
  panel.replaceChildren(
    el("h3", {}, locked ? LOCKED_TITLE : "The storage could not be opened"),
    el("p", {}, locked ? LOCKED_TEXT : "You can go on with tables that last as long as this page."),
    el("p", { class: "reason" }, el("code", {}, `${failure.name}: ${failure.message}`)),
    el(
      "div",
      { class: "actions" },
      el("button", { type: "button", class: "primary", testid: "retry", onclick: onRetry }, "Try again"),
      el(
        "button",
        { type: "button", class: "quiet", testid: "use-memory", onclick: onMemory },
        "Go on without storage",
      ),
    ),
  );
}

export function hideTrouble(): void {
  byId("trouble").hidden = true;
}
