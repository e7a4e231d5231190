/** Errors of the capsule as the view shows them. */
import { isCapsuleError } from "perilune/capsule";
import { el } from "../view/dom.ts";
import { FILE, MOD } from "./database.ts";

/** An error: its kind, its message, and the line of the rules that it comes from. */
export interface Problem {
  kind: string;
  message: string;
  line: number | undefined;
}

/** Place in the rules, in a message or in a traceback. */
const PLACE = new RegExp(`${MOD}/${FILE.replace(".", "\\.")}:(\\d+)`);

/** The same at the beginning of a message: it is shown as a link. */
const PREFIX = new RegExp(`^${PLACE.source}: `);

/** Describes an error. */
export function problemOf(error: unknown): Problem {
  const { message, cause } = error instanceof Error ? error : { message: String(error), cause: undefined };
  const { traceback } = (cause ?? {}) as { traceback?: unknown };
  const place = PLACE.exec(message) ?? PLACE.exec(String(traceback ?? ""));
  return {
    kind: isCapsuleError(error) ? error.kind : "page",
    message: message.replace(`the mod ${MOD}: `, "").replace(PREFIX, ""),
    line: place === null ? undefined : Number(place[1]),
  };
}

/** Element of an error: who has refused, what for, and a way to the line that did. */
export function problemView({ kind, message, line }: Problem, goTo: (line: number) => void): HTMLElement {
  const onclick = () => goTo(line ?? 1);
  return el(
    "p",
    { class: "c-problem", "data-kind": kind },
    el("span", { class: "kind" }, kind === "veto" ? "refused" : kind),
    el("span", { class: "message" }, message),
    line !== undefined && el("button", { type: "button", class: "link", onclick }, `${FILE}, line ${line}`),
  );
}
