/**
 * Follower of a log that another process writes. Takes no lock and changes nothing.
 *
 * Invariant: it passes on the records up to the end of a commit. Bytes behind that, which the writer may be
 * writing, mean nothing until a commit closes them.
 */
import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import type { Follower } from "#js/storage/write_behind.js";
import { ownError } from "./errors.js";
import { systemFiles, type OpenedFile } from "./files.js";
import { HEAD_BYTES, readHead, records, startOf, type FileId, type Position } from "./log.js";
import { placeOf } from "./open.js";
import { refuseDamage, scan } from "./scan.js";

/** Interval at which the file is read if the system does not say that it changed, in milliseconds. */
const POLL_MS = 500;

type Changes = Map<string, Uint8Array | null>;
type Changed = (changes: Iterable<readonly [string, Uint8Array | null]>, complete: boolean) => void;

/** State of a log when it was read. */
interface FollowedLog {
  file: OpenedFile;
  id: FileId;
  marks: [number, number];
  size: number;
}

/** Follows the store in the file `path`, which may not exist yet; its folder must. */
export async function followFile(path: string): Promise<Follower> {
  return new FileFollower(await placeOf(path));
}

class FileFollower implements Follower {
  readonly #path: string;
  /** Log that was read, and the end of what was read; undefined as long as there was none. */
  #known: { id: FileId; end: Position } | undefined;
  #changed: Changed | undefined;
  #lost: (error: Error) => void = () => {};
  /** Message of the last error that `lost` got. */
  #notified = "";
  #watcher: FSWatcher | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** End of the last reading: one is done after the other. Never rejects. */
  #last: Promise<void> = Promise.resolve();
  /** True if a reading is requested and has not begun. */
  #waiting = false;
  #closed = false;
  /** State of the file when it was last read anew because of bytes without a meaning: once is enough. */
  #readAnewAt = "";

  constructor(path: string) {
    this.#path = path;
  }

  async load(
    visit: (key: string, bytes: Uint8Array) => void,
    progress?: (done: number, total: number) => void,
  ): Promise<void> {
    const all: Changes = new Map();
    await this.#withFile(async ({ file, id, marks, size }) => {
      const found = await scan(file, id, startOf(id), size, collector(all), progress);
      await refuseDamage(file, id, found, Math.max(...marks), size, this.#path);
      this.#known = { id, end: found.end };
    });
    for (const [key, bytes] of all) visit(key, bytes as Uint8Array);
  }

  /**
   * Calls `changed` for each commit, and `lost` when the file cannot be read; once it can be again, `changed`
   * goes on.
   */
  follow(changed: Changed, lost: (error: Error) => void = () => {}): void {
    this.#changed = changed;
    this.#lost = lost;
    // The folder, not the file: a new log takes the place of the old one.
    const name = basename(this.#path);
    try {
      this.#watcher = watch(dirname(this.#path), (_event, which) => {
        if (which === null || which === name) this.#look();
      });
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // Then it is read at an interval.
    }
    this.#timer = setInterval(() => this.#look(), POLL_MS);
    this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watcher?.close();
    clearInterval(this.#timer);
    await this.#last;
  }

  #look(): void {
    if (this.#waiting || this.#closed) return;
    this.#waiting = true;
    this.#last = this.#last.then(async () => {
      this.#waiting = false;
      if (!this.#closed) await this.#withFile((log) => this.#read(log)).catch((error: Error) => this.#failed(error));
    });
  }

  /** Passes on an error of reading, the same one once in a row: the file may be readable the next time. */
  #failed(error: Error): void {
    if (this.#closed || error.message === this.#notified) return;
    this.#notified = error.message;
    this.#lost(error);
  }

  async #read(log: FollowedLog): Promise<void> {
    const { file, id, size } = log;
    const known = this.#known;
    const same = known !== undefined && known.id.chain === id.chain && size >= known.end.offset;
    if (!same) return this.#readAnew(log);
    if (size === known.end.offset) return;

    const commits: Changes[] = [];
    const found = await scan(file, id, known.end, size, batches(commits));
    // The writer may have taken back a commit that was read already, and have written another one in its
    // place.
    if (found.rest === "damaged" && found.end.offset === known.end.offset) {
      const seen = `${id.chain} ${size}`;
      if (seen === this.#readAnewAt) return;
      this.#readAnewAt = seen;
      return this.#readAnew(log);
    }
    this.#known = { id, end: found.end };
    for (const commit of commits) this.#notify(commit, false);
  }

  async #readAnew({ file, id, marks, size }: FollowedLog): Promise<void> {
    const all: Changes = new Map();
    const found = await scan(file, id, startOf(id), size, collector(all));
    await refuseDamage(file, id, found, Math.max(...marks), size, this.#path);
    const known = this.#known;
    if (known?.id.chain === id.chain && known.end.chain === found.end.chain) return;
    this.#known = { id, end: found.end };
    this.#notify(all, true);
  }

  #notify(changes: Changes, complete: boolean): void {
    if (!this.#closed && (changes.size > 0 || complete)) this.#changed?.(changes, complete);
  }

  /** Reads the file; one that is missing or empty is still to be made. */
  async #withFile(work: (log: FollowedLog) => Promise<void>): Promise<void> {
    let file: OpenedFile | undefined;
    try {
      file = await systemFiles.open(this.#path, "read");
      const size = (await file?.stat())?.size ?? 0;
      if (file === undefined || size === 0) return;
      const head = new Uint8Array(Math.min(size, HEAD_BYTES));
      await file.read(head, 0);
      await work({ file, size, ...readHead(head, this.#path) });
    } catch (error) {
      throw ownError(error, this.#path);
    } finally {
      await file?.close();
    }
  }
}

/** Collector of commits, each by itself. */
function batches(commits: Changes[]): { data(payload: Uint8Array): void; commit(): void } {
  let staged: Changes = new Map();
  return {
    data(payload) {
      for (const { key, value } of records(payload)) staged.set(key, value?.slice() ?? null);
    },
    commit() {
      if (staged.size > 0) commits.push(staged);
      staged = new Map();
    },
  };
}

/** Collector of all records after the last commit. */
function collector(all: Changes): { data(payload: Uint8Array): void; commit(): void } {
  const commits: Changes[] = [];
  const { data, commit } = batches(commits);
  return {
    data,
    commit() {
      commit();
      for (const [key, value] of commits.pop() ?? []) {
        if (value === null) all.delete(key);
        else all.set(key, value);
      }
    },
  };
}
