/** Output of Lua, on its way to a callback, to the console, or into the result of `run()`. */
import { Stream } from "../codec/tags.js";
import type { OutputCallback } from "../options.js";

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

/** Collects both streams, in order. */
export class OutputCollector implements Sink {
  text = "";
  readonly #decoders = [new TextDecoder(), new TextDecoder()];

  write(stream: number, bytes: Uint8Array): void {
    // Each stream has its decoder: the other may write in the middle of a character.
    this.text += this.#decoders[stream === Stream.stderr ? 1 : 0]?.decode(bytes, { stream: true }) ?? "";
  }

  end(): void {
    for (const decoder of this.#decoders) this.text += decoder.decode();
  }
}

interface Channel {
  write(bytes: Uint8Array): void;
  end(): void;
}

/** Makes a channel of text as it comes. A character that is written in parts waits for its last byte. */
function toText(callback: OutputCallback): Channel {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    write(bytes) {
      const text = decoder.decode(bytes, { stream: true });
      if (text !== "") guarded(callback, text);
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
    const lines = (open + part).split("\n");
    open = lines.pop() ?? "";
    for (const line of lines) callback(line);
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
