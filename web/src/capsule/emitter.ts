/** Listeners by the names of what they hear. What one throws is told, and the others hear all the same. */
import { isThenable } from "../host/host_calls.js";

type Listener = (detail: any) => unknown;

/** Listeners of many names. */
export class Emitter {
  readonly #listeners = new Map<string, Set<{ call: Listener }>>();
  readonly #failed: (error: unknown) => void;

  /** `failed` is told what listeners throw. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Adds a listener; returns a function that removes it. */
  on(name: string, call: Listener): () => void {
    const entry = { call };
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(entry));
    return () => {
      all.delete(entry);
      if (all.size === 0 && this.#listeners.get(name) === all) this.#listeners.delete(name);
    };
  }

  /** Removes the listeners of a name that are this function; without one all. */
  off(name: string, call?: Listener): void {
    const all = this.#listeners.get(name);
    for (const entry of all ?? []) if (call === undefined || entry.call === call) all?.delete(entry);
    if (all?.size === 0) this.#listeners.delete(name);
  }

  /** True if somebody listens. */
  has(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** Names that somebody listens to. */
  get names(): string[] {
    return [...this.#listeners.keys()];
  }

  /** Calls all listeners of a name that are there now. */
  emit(name: string, detail: unknown): void {
    for (const { call } of [...(this.#listeners.get(name) ?? [])]) attempt(() => call(detail), this.#failed);
  }
}

/** Calls a function of the program's, whose failure, now or later, is told. */
export function attempt(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const result = call();
    if (isThenable(result)) Promise.resolve(result).catch(failed);
  } catch (error) {
    failed(error);
  }
}
