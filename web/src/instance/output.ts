/** Output of Lua, on its way to a callback, to the console, or into the result of `run()`. */
import { LuaMemoryError } from "../errors.js";
import { Stream } from "../codec/tags.js";
import type { OutputCallback } from "../options.js";

/** Bytes of output that `run()` keeps, by default. */
export const OUTPUT_DEFAULT_BYTES: number = 16 * 1024 * 1024;

/** Bytes that are decoded in one piece. No string gets longer than any platform can hold. */
const PIECE_BYTES = 1024 * 1024;

/** Length of a line from which on the console gets it in parts. */
const LINE_LENGTH_MAX = 1024 * 1024;

/** End of a part of a line that is not its last. */
const GOES_ON = " [this line goes on]";

/** Destination of output. */
export interface Sink {
  write(stream: number, bytes: Uint8Array): void;
  /** Ends the output of a call. */
  end(): void;
}

/** Passes on the output of a reply: segments of stream, length and bytes. */
export function emit(output: Uint8Array, sink: Sink): void {
  const view = new DataView(output.buffer);
  for (let at = 0; at < output.length;) {
    const start = at + 5;
    const end = start + view.getUint32(at + 1, true);
    sink.write(view.getUint8(at), output.subarray(start, end));
    at = end;
  }
}

/** Makes a sink of two callbacks; a stream without one goes to the console, line by line. */
export function outputTo(stdout: OutputCallback | undefined, stderr: OutputCallback | undefined): Sink {
  const out = stdout === undefined ? toLines((line) => console.log(line)) : toText(stdout);
  const err = stderr === undefined ? toLines((line) => console.error(line)) : toText(stderr);
  return {
    write: (stream, bytes) => (stream === Stream.stderr ? err : out).write(bytes),
    end() {
      out.end();
      err.end();
    },
  };
}

/** Collects both streams, in order, up to a number of bytes. */
export class OutputCollector implements Sink {
  text = "";
  /** Error that there was more; set once. */
  refusal: LuaMemoryError | undefined;
  readonly #limit: number;
  #left: number;
  // Each stream has its decoder: the other may write in the middle of a character.
  readonly #decoders = [newDecoder(), newDecoder()] as const;

  constructor(limit: number = OUTPUT_DEFAULT_BYTES) {
    this.#limit = this.#left = limit;
  }

  /** Takes output; throws when it is too much. */
  write(stream: number, bytes: Uint8Array): void {
    const kept = bytes.subarray(0, this.#left);
    this.#left -= kept.length;
    const decoder = this.#decoders[stream === Stream.stderr ? 1 : 0];
    for (const piece of pieces(kept)) this.text += decoder.decode(piece, { stream: true });
    if (kept.length === bytes.length) return;
    const message = `the output has more than ${this.#limit} bytes, which is outputLimit`;
    throw (this.refusal ??= new LuaMemoryError("memory", message));
  }

  end(): void {
    for (const decoder of this.#decoders) this.text += decoder.decode();
  }
}

function newDecoder(): TextDecoder {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

interface Channel {
  write(bytes: Uint8Array): void;
  end(): void;
}

/** Makes a channel of text as it comes. A character that is written in parts waits for its last byte. */
function toText(callback: OutputCallback): Channel {
  const decoder = newDecoder();
  return {
    write(bytes) {
      for (const piece of pieces(bytes)) {
        const text = decoder.decode(piece, { stream: true });
        if (text !== "") guarded(callback, text);
      }
    },
    end() {},
  };
}

/**
 * Makes a channel of whole lines, without their newlines; at the end of a call also of one that is not
 * finished.
 */
function toLines(callback: OutputCallback): Channel {
  let open = "";
  const text = toText((part) => {
    const lines = part.split("\n");
    lines[0] = open + lines[0];
    open = lines.pop() ?? "";
    for (const line of lines) callback(line);
    if (open.length <= LINE_LENGTH_MAX) return;
    callback(open + GOES_ON);
    open = "";
  });
  return {
    write: (bytes) => text.write(bytes),
    end() {
      if (open !== "") callback(open);
      open = "";
    },
  };
}

/**
 * Calls a callback; an error that it throws is logged, and not taken for a failure of the program that wrote.
 */
function guarded(callback: OutputCallback, text: string): void {
  try {
    callback(text);
  } catch (error) {
    console.error(error);
  }
}
