/**
 * Parts of the package that are loaded when they are first used, so that a page that does not use them does
 * without.
 *
 * In the package a part is a function of what it shares with the rest (scripts/parts.mjs). It imports
 * nothing: there is one of everything, whatever the address is by which a page has imported the package.
 */

/** A part; `M` is the type of its module. */
export class Part<M> {
  #load: () => Promise<unknown>;
  readonly #open: (loaded: unknown) => M;
  #loading: Promise<M> | undefined;

  /** Makes a part of what loads it, and what makes its module of that. */
  constructor(load: () => Promise<unknown>, open: (loaded: unknown) => M = (loaded) => loaded as M) {
    this.#load = load;
    this.#open = open;
  }

  /** Begins to load it, for a call that will need it later; a failure is that call's. */
  prepare(): void {
    this.get().catch(() => {});
  }

  /** Loads it, once; a failure is forgotten, so that the next call tries again. */
  get(): Promise<M> {
    this.#loading ??= this.#load().then(this.#open, (error: unknown) => {
      this.#loading = undefined;
      throw unloadable(error);
    });
    return this.#loading;
  }

  /** Hands over what would be loaded, for entries that have it from the beginning. */
  give(loaded: unknown): void {
    this.#load = async () => loaded;
  }
}

/** Makes the error of a part that cannot be loaded, which says what helps. */
function unloadable(cause: unknown): Error {
  const { message: why = String(cause) } = (cause ?? {}) as Partial<Error>;
  const remedy = 'where nothing can be loaded later, as in a service worker, import "perilune/whole"';
  const error = new Error(`a part of the package cannot be loaded (${why}): ${remedy}`, { cause });
  return Object.assign(error, { code: "unavailable" });
}
