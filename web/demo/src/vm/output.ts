/** What a program writes, on its way to the page: in parcels, and not without end. */
import type { Notice, OutputPart } from "../protocol.ts";

/** A page that is given more text than this in one run only becomes slow. */
const CHARACTERS_MAX = 200_000;
const PARCEL_CHARACTERS = 8 * 1024;

/** Collects parts and posts them. */
export class Output {
  readonly #post: (notice: Notice) => void;
  #parts: OutputPart[] = [];
  #waiting = 0;
  #sent = 0;
  #cut = 0;

  constructor(post: (notice: Notice) => void) {
    this.#post = post;
  }

  write(stream: OutputPart["stream"], text: string): void {
    const room = Math.max(0, CHARACTERS_MAX - this.#sent - this.#waiting);
    this.#cut += Math.max(0, text.length - room);
    const fitting = text.slice(0, room);
    if (fitting === "") return;
    const last = this.#parts.at(-1);
    if (last?.stream === stream) last.text += fitting;
    else this.#parts.push({ stream, text: fitting });
    this.#waiting += fitting.length;
    if (this.#waiting >= PARCEL_CHARACTERS) this.#send();
  }

  /** The run is over. */
  end(): void {
    this.#send();
    if (this.#cut > 0) this.#post({ event: "output-cut", characters: this.#cut });
    this.#sent = 0;
    this.#cut = 0;
  }

  #send(): void {
    if (this.#parts.length > 0) this.#post({ event: "output", parts: this.#parts });
    this.#sent += this.#waiting;
    this.#waiting = 0;
    this.#parts = [];
  }
}
