/**
 * State of the storage, as a moon: waning to a crescent when something was accepted, full when all is
 * committed.
 *
 * Accepted: in the tables, for everyone to read. Committed: the storage's transaction is complete.
 */
import { byId } from "./dom.ts";
import { counted } from "./format.ts";

type Phase = "none" | "accepted" | "committed" | "failed";

export class CommitState {
  readonly #element = byId("commit-state");
  readonly #text = byId("commit-text");
  #kept = true;

  /** Shows a new VM; `kept`: it has a storage. */
  start(kept: boolean): void {
    this.#kept = kept;
    if (kept) this.#show("committed", "Committed", "Everything is in storage");
    else this.#show("none", "Not stored", "This VM keeps its tables in memory only");
  }

  /** Shows that there is no VM. */
  unavailable(): void {
    this.#show("none", "No storage", "The storage could not be opened");
  }

  /** Shows that tables were changed. */
  accepted(tables: number): void {
    if (this.#kept) this.#show("accepted", "Accepted", `${counted(tables, "table")} changed; on the way to storage`);
  }

  /** Shows that a transaction is complete; the next one may be under way. */
  committed(entries: number, pendingBytes: number): void {
    if (pendingBytes > 0) return;
    this.#show("committed", "Committed", `${counted(entries, "entry", "entries")} in the last transaction`);
  }

  failed(message: string): void {
    this.#show("failed", "Not committed", `${message}. Nothing is lost; it will be tried again`);
  }

  #show(phase: Phase, text: string, title: string): void {
    this.#element.dataset["phase"] = phase;
    this.#element.title = title;
    this.#text.textContent = text;
  }
}
