/**
 * Backend that keeps records in one file: a log that commits are appended to, and that is written anew when
 * too much of it is out of date.
 *
 * Invariants:
 * - Before the end of the last commit nothing is ever written but the marks. Bytes of a failed commit behind
 *   it are cut off before the next one begins.
 * - However the process or the machine dies, the file is that of some commit, whole; with `strict` not older
 *   than the last one that resolved.
 * - Damage within the part that was known to be on the disk is refused, and the file left as it is. Only
 *   behind that, where a power cut may leave anything, the log is taken to end at its last good commit.
 * - Nothing is written without the lock, nor into a file that has taken the place of ours, or has come into
 *   it.
 */
import { clearTimeout, setTimeout } from "node:timers";
import type { Backend } from "#js/storage/write_behind.js";
import { Append, writeFully } from "./append.js";
import { damageError, fileError, ownError, systemCode } from "./errors.js";
import type { Lock } from "./file_lock.js";
import type { Files } from "./files.js";
import { HEAD_BYTES, IDENTITY_BYTES, isHeadOf, mark, records, startOf, type Position } from "./log.js";
import { recoverLog, removeSuccessor, settle, writeLog, type Log, type Place, type Staged } from "./log_file.js";
import { scan } from "./scan.js";

export type Durability = "relaxed" | "strict";

/** Bytes that may be out of date, beyond as many as are live, before the log is written anew. */
const GARBAGE_BYTES_MAX = 1024 * 1024;
/** Longest time from a `relaxed` commit to its sync, in milliseconds. */
const SYNC_DELAY_MS = 1000;
/** Interval at which a long commit checks its lock, in milliseconds. */
const LOCK_DOUBT_MS = 1000;

/**
 * Opens the log at `path`, or makes one. The backend releases the lock when it is closed, not when opening
 * fails.
 */
export async function openLog(files: Files, path: string, lock: Lock, durability: Durability): Promise<Backend> {
  await removeSuccessor(files, path);
  const file = await files.open(path, "write");
  const { size, mode } = (await file?.stat()) ?? { size: 0, mode: undefined };
  if (file !== undefined && size > 0) {
    try {
      const { log, index } = await recoverLog(file, size, path);
      // Its writer may have died between the rename and the sync of the folder.
      await files.syncFolder(path);
      return new FileBackend(files, path, lock, durability, log, index);
    } catch (error) {
      await file.close();
      throw error;
    }
  }
  await file?.close();
  const log = await writeLog(files, path, lock, mode, async () => {});
  await files.syncFolder(path);
  return new FileBackend(files, path, lock, durability, log, new Map());
}

type Changes = Iterable<readonly [key: string, bytes: Uint8Array | null]>;

class FileBackend implements Backend {
  readonly #files: Files;
  readonly #path: string;
  readonly #lock: Lock;
  readonly #durability: Durability;
  #log: Log;
  #index: Map<string, Place>;
  #liveBytes = 0;
  /** True if bytes of a failed commit may be behind the end. */
  #untidy = false;
  /** True if a new log took the place of the old one, and the folder was not synced since. */
  #renamed = false;
  /** True if the file is gone, or cut off: the next commit has everything, and makes a new one. */
  #lost = false;
  /** True if a sync failed: only a new log can be trusted. */
  #distrusted = false;
  /** Bytes out of date from which on the log is written anew. */
  #compactAt = 0;
  /** End of the last operation: one is done after the other. Never rejects. */
  #last: Promise<void> = Promise.resolve();
  /** End of the sync that is done beside other operations; never rejects. */
  #syncing: Promise<void> | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(files: Files, path: string, lock: Lock, durability: Durability, log: Log, index: Map<string, Place>) {
    this.#files = files;
    this.#path = path;
    this.#lock = lock;
    this.#durability = durability;
    this.#log = log;
    this.#index = index;
    for (const { size } of index.values()) this.#liveBytes += size;
  }

  load(
    visit: (key: string, bytes: Uint8Array) => void,
    progress?: (done: number, total: number) => void,
  ): Promise<void> {
    return this.#inTurn(async () => {
      let theirs = false;
      const visitor = (key: string, value: Uint8Array): void => {
        theirs = true;
        visit(key, value.slice());
        theirs = false;
      };
      await this.#visitLive(visitor, progress).catch((error: unknown) => {
        throw theirs ? error : ownError(error, this.#path);
      });
    });
  }

  commit(changes: Changes): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) throw fileError("closed", `${this.#path} is closed`);
      this.#lock.verify();
      const lost = this.#lost;
      await this.#checkFile();
      if (lost) return this.#writeAll(changes);
      await this.#tidy();
      await this.#append(changes);
      if (this.#shouldCompact()) {
        this.#inTurn(() => this.#compact()).catch(() => {
          // Compaction only saves room, and there still is some. Later, because it reads the whole log.
          this.#compactAt = 1.5 * this.#garbageBytes;
        });
      }
    });
  }

  /** Rejects as a commit would, if what was committed is not in the file any more. */
  verify(): Promise<void> {
    return this.#inTurn(() => this.#checkFile());
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) return;
      this.#closed = true;
      clearTimeout(this.#syncTimer);
      await this.#syncing;
      try {
        // Without the lock nothing may be written, and everything here is committed.
        if (this.#hasLock() && (await this.#isOurs())) await this.#finish();
      } catch (error) {
        throw ownError(error, this.#path);
      } finally {
        await this.#log.file.close();
        this.#lock.release();
      }
    });
  }

  /** True if the lock is still this one's. */
  #hasLock(): boolean {
    try {
      this.#lock.verify();
      return true;
    } catch {
      return false;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  /**
   * Rejects when the file at its path is not the one that was written. One that is gone or cut off is lost
   * (`reset`): the next commit, which has everything, makes a new one, and until then this resolves. One that
   * others have put there, or have written into ours, is theirs (`foreign`).
   */
  async #checkFile(): Promise<void> {
    const { file, id, end } = this.#log;
    try {
      const [there, ours] = await Promise.all([this.#files.stat(this.#path), file.stat()]);
      if (there !== undefined && there.identity !== ours.identity)
        throw this.#replaced("was replaced by another file while it was open");
      // Of a head that a dead writer left, the end may be missing.
      const least = end.offset > HEAD_BYTES ? end.offset : IDENTITY_BYTES;
      if (there === undefined || ours.size < least) {
        if (this.#lost) return;
        this.#lost = true;
        const what = there === undefined ? "was removed while it was open" : "was cut off while it was open";
        throw fileError("reset", `${this.#path} ${what}; everything is written anew`);
      }
      const head = new Uint8Array(IDENTITY_BYTES);
      await file.read(head, 0);
      if (!isHeadOf(head, id)) throw this.#replaced("has other contents since it was opened");
      // Cut off, and whole again.
      if (this.#lost) throw this.#replaced("was changed by another program while it was open");
    } catch (error) {
      throw ownError(error, this.#path);
    }
  }

  /** Says whether the file is there and ours. */
  #isOurs(): Promise<boolean> {
    return this.#checkFile().then(
      () => !this.#lost,
      (error: unknown) => {
        if (["reset", "foreign"].includes(systemCode(error))) return false;
        throw error;
      },
    );
  }

  #replaced(what: string): Error {
    const advice = "it is left as it is. Move it away, and everything is written anew; dump() has everything meanwhile";
    return fileError("foreign", `${this.#path} ${what}; ${advice}`);
  }

  /** Makes a new file of a commit that has everything. */
  async #writeAll(changes: Changes): Promise<void> {
    const index = new Map<string, Place>();
    const pulled = changes[Symbol.iterator]();
    try {
      const { mode } = await this.#log.file.stat();
      const log = await writeLog(this.#files, this.#path, this.#lock, mode, async (append) => {
        for (let next = pull(pulled); next !== undefined; next = pull(pulled)) {
          const [key, bytes] = next;
          if (bytes === null) continue;
          const busy = append.put(key, bytes, (offset, size) => {
            index.set(key, { offset, size });
          });
          if (busy !== undefined) await busy;
        }
      });
      await this.#adopt(log, index);
    } catch (error) {
      if (error instanceof PullError) throw error.cause;
      pulled.return?.();
      throw ownError(error, this.#path);
    }
    this.#liveBytes = 0;
    for (const { size } of index.values()) this.#liveBytes += size;
    this.#lost = false;
    if (this.#durability === "strict") await this.#syncName();
  }

  #shouldCompact(): boolean {
    const allowed = Math.max(this.#compactAt, this.#liveBytes + GARBAGE_BYTES_MAX);
    return this.#garbageBytes > allowed || this.#distrusted;
  }

  get #garbageBytes(): number {
    return this.#log.end.offset - HEAD_BYTES - this.#liveBytes;
  }

  async #append(changes: Changes): Promise<void> {
    const log = this.#log;
    const staged: Staged[] = [];
    const pulled = changes[Symbol.iterator]();
    const verified = performance.now();
    try {
      const append = new Append(log.file, log.id, log.end);
      for (let next = pull(pulled); next !== undefined; next = pull(pulled)) {
        const [key, bytes] = next;
        // Nothing was written.
        if (bytes === null && !this.#index.has(key)) continue;
        this.#untidy = true;
        const placed = (offset: number, size: number): void => {
          staged.push({ key, place: bytes === null ? undefined : { offset, size } });
        };
        const busy = append.put(key, bytes, placed);
        if (busy !== undefined) await busy;
      }
      if (staged.length === 0) return;
      if (append.started && performance.now() - verified > LOCK_DOUBT_MS) this.#lock.verify();
      const end = await append.commit(log.synced);
      if (this.#durability === "strict") {
        await log.file.sync();
        await this.#syncName();
      }
      this.#committed(staged, end);
    } catch (error) {
      // If this fails, too, the next commit cuts it off.
      await this.#tidy().catch(() => {});
      if (error instanceof PullError) throw error.cause;
      pulled.return?.();
      throw ownError(error, this.#path);
    }
  }

  /** Notes that the commit is in the file. */
  #committed(staged: Staged[], end: Position): void {
    const log = this.#log;
    log.end = end;
    this.#untidy = false;
    this.#liveBytes += settle(staged, this.#index);
    if (this.#durability === "strict") log.synced = end.offset;
    this.#syncSoon();
  }

  /** Cuts off bytes of a failed commit. */
  async #tidy(): Promise<void> {
    if (!this.#untidy) return;
    try {
      await this.#log.file.truncate(this.#log.end.offset);
    } catch (error) {
      throw ownError(error, this.#path);
    }
    this.#untidy = false;
  }

  async #syncName(): Promise<void> {
    if (!this.#renamed) return;
    await this.#files.syncFolder(this.#path);
    this.#renamed = false;
  }

  /** Brings the last commits to the disk after a while, and notes in the file that they are there. */
  #syncSoon(): void {
    if (this.#syncTimer !== undefined) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = undefined;
      this.#syncing = this.#syncBehind().finally(() => {
        this.#syncing = undefined;
      });
    }, SYNC_DELAY_MS);
    // The timer keeps no process alive; `close` syncs.
    this.#syncTimer.unref();
  }

  async #syncBehind(): Promise<void> {
    const log = this.#log;
    const { offset } = log.end;
    try {
      if (log.synced < offset) await log.file.sync();
    } catch {
      // The system may have dropped the bytes that it could not write, and the next sync would not say so.
      if (log === this.#log) this.#distrusted = true;
      return;
    }
    if (log !== this.#log || this.#closed) return;
    log.synced = Math.max(log.synced, offset);
    this.#inTurn(() => this.#mark()).catch(() => {});
  }

  /**
   * Writes a mark with the offset up to which the file is on the disk: damage before that is no work of a
   * power cut.
   */
  async #mark(): Promise<void> {
    const log = this.#log;
    const older = log.marks[0] <= log.marks[1] ? 0 : 1;
    if (log.marks[older] >= log.synced || this.#lost) return;
    this.#lock.verify();
    await this.#checkFile();
    const { bytes, offset } = mark(older, log.synced, log.id);
    await writeFully(log.file, bytes, offset);
    log.marks[older] = log.synced;
  }

  /** Has both marks say that the whole file is on the disk. */
  async #finish(): Promise<void> {
    await this.#tidy();
    if (this.#distrusted) await this.#compact();
    await this.#syncName();
    const log = this.#log;
    const { offset } = log.end;
    if (log.synced < offset) await log.file.sync();
    log.synced = offset;
    await this.#mark();
    if (log.marks[0] === log.marks[1]) return;
    // One after the other: if the power fails in between, one of them is whole.
    await log.file.sync();
    await this.#mark();
  }

  async #compact(): Promise<void> {
    await this.#checkFile();
    const index = new Map<string, Place>();
    const { mode } = await this.#log.file.stat();
    const log = await writeLog(this.#files, this.#path, this.#lock, mode, async (append) => {
      await this.#visitLive((key, value) =>
        append.put(key, value, (offset, size) => {
          index.set(key, { offset, size });
        }),
      );
    });
    await this.#adopt(log, index);
    // If it fails, the next strict commit tries again, or `close`.
    await this.#syncName();
  }

  /** Goes on with a new log that has taken the place of the old one. */
  async #adopt(log: Log, index: Map<string, Place>): Promise<void> {
    const old = this.#log;
    this.#log = log;
    this.#index = index;
    this.#compactAt = 0;
    this.#distrusted = false;
    this.#untidy = false;
    this.#renamed = true;
    await this.#syncing;
    await old.file.close().catch(() => {});
  }

  /** Yields all live records. The log is read in its own order, so that all checksums are checked. */
  async #visitLive(
    visit: (key: string, value: Uint8Array) => Promise<void> | void,
    progress?: (done: number, total: number) => void,
  ): Promise<void> {
    const log = this.#log;
    let visited = 0;
    const data = async (payload: Uint8Array, at: number): Promise<void> => {
      for (const { key, value, at: start } of records(payload)) {
        if (value === null || this.#index.get(key)?.offset !== at + start) continue;
        visited += 1;
        const busy = visit(key, value);
        if (busy !== undefined) await busy;
      }
    };
    const { rest } = await scan(log.file, log.id, startOf(log.id), log.end.offset, { data }, progress);
    if (rest !== "nothing" || visited !== this.#index.size) throw damageError(this.#path);
  }
}

/** Error that the iterated changes threw, to distinguish it from errors of this backend. */
class PullError extends Error {}

function pull<T>(iterator: Iterator<T>): T | undefined {
  try {
    const next = iterator.next();
    return next.done === true ? undefined : next.value;
  } catch (cause) {
    throw new PullError("the changes failed", { cause });
  }
}
