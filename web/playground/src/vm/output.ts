/** Output of a program on its way to the page: in batches, and up to a limit. */
import type { Notice, OutputPart } from "../protocol.ts";

/** Most output of one run that is shown: more makes the page slow, mostly with the layout of lines. */
const CHARACTERS_MAX = 200_000;
const LINES_MAX = 4000;
const PARCEL_CHARACTERS = 8 * 1024;

/** Collects parts and posts them. */
export class Output {
  readonly #post: (notice: Notice) => void;
  #parts: OutputPart[] = [];
  /** Number of characters in `#parts`. */
  #waiting = 0;
  #charactersLeft = CHARACTERS_MAX;
  #linesLeft = LINES_MAX;
  #cut = 0;

  constructor(post: (notice: Notice) => void) {
    this.#post = post;
  }

  write(stream: OutputPart["stream"], text: string): void {
    const fitting = text.slice(0, this.#room(text));
    this.#charactersLeft -= fitting.length;
    this.#cut += text.length - fitting.length;
    if (fitting === "") return;
    const last = this.#parts.at(-1);
    if (last?.stream === stream) last.text += fitting;
    else this.#parts.push({ stream, text: fitting });
    this.#waiting += fitting.length;
    if (this.#waiting >= PARCEL_CHARACTERS || this.#charactersLeft === 0) this.#send();
  }

  /** Ends the run: posts the rest. */
  end(): void {
    this.#send();
    if (this.#cut > 0) this.#post({ event: "output-cut", characters: this.#cut });
    this.#charactersLeft = CHARACTERS_MAX;
    this.#linesLeft = LINES_MAX;
    this.#cut = 0;
  }

  /** Returns how many characters of `text` are still to be shown, and counts its lines. */
  #room(text: string): number {
    const end = Math.min(text.length, this.#charactersLeft);
    for (let at = text.indexOf("\n"); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) {
      this.#linesLeft -= 1;
      if (this.#linesLeft === 0) return (this.#charactersLeft = at + 1);
    }
    return end;
  }

  #send(): void {
    if (this.#parts.length > 0) this.#post({ event: "output", parts: this.#parts });
    this.#waiting = 0;
    this.#parts = [];
  }
}
