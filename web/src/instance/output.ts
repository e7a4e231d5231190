/** Output of Lua, on its way to a callback, to the console, or into the result of `run()` or `runAsync()`. */
import { LuaError, LuaMemoryError } from "../errors.js";
import { Stream } from "../codec/tags.js";
import type { LuaValue } from "../codec/values.js";
import type { OutputCallback } from "../options.js";

/** Bytes of output that `run()` and `runAsync()` keep, by default. */
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
  /** Ends the output of a call; all that it gets, with the `fuel` of the only call that it is for. */
  end(fuel?: number): void;
}

/** Callbacks for the two streams. */
interface OutputCallbacks {
  readonly stdout?: OutputCallback | undefined;
  readonly stderr?: OutputCallback | undefined;
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
export function outputTo({ stdout, stderr }: OutputCallbacks): Sink {
  return join(
    stdout === undefined ? toLines((line) => console.log(line)) : toText(stdout),
    stderr === undefined ? toLines((line) => console.error(line)) : toText(stderr),
  );
}

/** Result of `run` and `runAsync`. */
export interface LuaRun {
  /** All results. */
  values: LuaValue[];
  /** Text written to stdout and stderr, in order. */
  output: string;
  /** Duration in milliseconds, from the call to its end, waiting included. */
  ms: number;
  /** Fuel used, in ticks of the interpreter. */
  fuel: number;
}

/** Collects both streams of a call, in order, up to a number of bytes. */
export class OutputCollector implements Sink {
  text = "";
  readonly #limit: number;
  /** Bytes that it has room for; negative when there were more. */
  #left: number;
  readonly #start = performance.now();
  #fuel = 0;
  // Each stream has its decoder: the other may write in the middle of a character.
  readonly #sink: Sink;

  /** Makes one that keeps so many bytes, and passes on what it keeps. */
  constructor(limit: number = OUTPUT_DEFAULT_BYTES, { stdout, stderr }: OutputCallbacks = {}) {
    this.#limit = this.#left = limit;
    const adding = (callback?: OutputCallback) =>
      toText((text) => {
        this.text += text;
        callback?.(text);
      });
    this.#sink = join(adding(stdout), adding(stderr));
  }

  /** Takes output; throws once when it is too much. What comes after that is dropped. */
  write(stream: number, bytes: Uint8Array): void {
    const left = this.#left;
    this.#left -= bytes.length;
    this.#sink.write(stream, bytes.subarray(0, Math.max(0, left)));
    if (left >= 0 && this.#left < 0) throw this.#refusal();
  }

  end(fuel = 0): void {
    this.#fuel = fuel;
    this.#sink.end(fuel);
  }

  /** Returns the result of the call that has ended; throws when its output is too much. */
  ended(values: LuaValue[]): LuaRun {
    if (this.#left < 0) throw undefined;
    return { values, output: this.text, ms: performance.now() - this.#start, fuel: this.#fuel };
  }

  /** Returns the error of the call, which has thrown this, with its output. */
  failed(thrown: unknown): unknown {
    // With too much output, what it has thrown is only the way in which it was ended.
    const error = this.#left < 0 ? this.#refusal() : thrown;
    if (error instanceof LuaError) error.output = this.text;
    return error;
  }

  /** Makes the error that it is too much; one for each call that ends with it, since each has its output. */
  #refusal(): LuaMemoryError {
    return new LuaMemoryError("memory", `the output has more than ${this.#limit} bytes, which is outputLimit`);
  }
}

interface Channel {
  write(bytes: Uint8Array): void;
  end(fuel?: number): void;
}

/** Makes a sink of a channel for each stream. */
function join(out: Channel, err: Channel): Sink {
  return {
    write: (stream, bytes) => (stream === Stream.stderr ? err : out).write(bytes),
    end(fuel) {
      out.end(fuel);
      err.end(fuel);
    },
  };
}

/**
 * Makes a channel of text as it comes. A character that is written in parts waits for its last byte, or for
 * the end.
 */
function toText(callback: OutputCallback): Channel {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const pass = (text: string) => guarded(callback, text);
  return {
    write(bytes) {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES)
        pass(decoder.decode(bytes.subarray(at, at + PIECE_BYTES), { stream: true }));
    },
    end(fuel) {
      // Another call may write the rest of a character.
      if (fuel !== undefined) pass(decoder.decode());
    },
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
    ...text,
    end(fuel) {
      text.end(fuel);
      if (open !== "") callback(open);
      open = "";
    },
  };
}

/**
 * Calls a callback with text, if there is any; an error that it throws is logged, and not taken for a failure
 * of the program that wrote.
 */
function guarded(callback: OutputCallback, text: string): void {
  try {
    if (text !== "") callback(text);
  } catch (error) {
    console.error(error);
  }
}
