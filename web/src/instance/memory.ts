/**
 * The memory of one instance.
 *
 * Invariant: no view of it is trusted after the module ran; `fresh` makes it anew when memory has grown.
 */
import type { Views } from "../codec/plain.js";

/** Views of memory. */
export class Memory implements Views {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  readonly #memory: WebAssembly.Memory;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Returns the views as they are now. */
  fresh(): this {
    // A view of memory that has grown since has length 0.
    if (this.bytes.length === 0) {
      this.bytes = new Uint8Array(this.#memory.buffer);
      this.view = new DataView(this.bytes.buffer);
    }
    return this;
  }
}
