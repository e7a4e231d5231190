/**
 * Lock of a log, which keeps it to one writer: a file beside it that names its holder.
 *
 * A lock file is made whole, by a link to a file that has its text already, so that it can always be read:
 *
 * | line | content                                                    |
 * |------|------------------------------------------------------------|
 * | 1    | `perilune lock 1`                                          |
 * | 2    | id of the process                                          |
 * | 3    | time when it began; empty where the system does not say    |
 * | 4    | name of the host                                           |
 * | 5    | token: random, another one for every lock                  |
 *
 * The lock of a process that has died is removed by the next that wants it. Two may want it at once, and the
 * slower one must not remove the lock of the faster one. So the lock with token T is removed only by the
 * holder of another lock, the file `LOCK.T`, after reading it again. If that holder dies, its lock is that of
 * a dead process like any other.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileError, ownError, systemCode } from "./errors.js";

export interface Lock {
  /** Throws `locked` when another process has it. */
  verify(): void;
  release(): void;
}

/** Interval at which a waiting opener tries again, in milliseconds. */
const POLL_MS = 50;
/**
 * Age from which on a lock without its text is that of a dead process, in milliseconds: a power cut, or no
 * links.
 */
const TORN_AGE_MS = 10_000;
const FIRST_LINE = "perilune lock 1";
/** Process ids for locks that cannot be read. */
const DEAD = 0;
const UNKNOWN = -1;
/** Number of times that a lock is looked for, and made, before it is for the next poll. */
const ROUNDS_MAX = 20;

interface Holder {
  pid: number;
  began: string;
  host: string;
  token: string;
}

/**
 * Takes the lock in the file `path`. Rejects with `locked` when another process still has it after `timeout`
 * milliseconds.
 */
export async function lockFile(path: string, timeout: number): Promise<Lock> {
  const start = performance.now();
  for (;;) {
    const found = take(path);
    if (found instanceof HeldLock) return found;
    const left = timeout - (performance.now() - start);
    if (left <= 0) throw lockedBy(found, path);
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, left)));
  }
}

/** Takes the lock in the file `path` at once. Throws `locked` when another process has it. */
export function lockFileSync(path: string): Lock {
  const found = take(path);
  if (found instanceof HeldLock) return found;
  throw lockedBy(found, path);
}

/** Tries to take a lock, and clears up behind processes that died while they took it. */
function take(path: string): HeldLock | Holder {
  const found = tryLock(path);
  if (found instanceof HeldLock) removeLeftovers(path);
  return found;
}

class HeldLock implements Lock {
  readonly #path: string;
  readonly #token: string;
  /** State of the file when it was last read: as long as it stays, the file need not be read again. */
  #looks: string;

  constructor(path: string, token: string, looks: string) {
    this.#path = path;
    this.#token = token;
    this.#looks = looks;
  }

  verify(): void {
    const looks = looksOf(this.#path);
    if (looks !== "" && looks === this.#looks) return;
    const holder = holderOf(this.#path);
    if (holder?.token !== this.#token) {
      throw fileError("locked", `the lock ${this.#path} was taken away: ${described(holder)}`);
    }
    this.#looks = looks;
  }

  release(): void {
    const holder = holderOrNone(this.#path);
    if (holder?.token === this.#token) rmSync(this.#path, { force: true });
  }
}

/** Tries once: the lock, or its holder. */
function tryLock(path: string): HeldLock | Holder {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const holder = holderOf(path);
    if (holder === undefined) {
      const mine = makeLock(path);
      if (mine !== undefined) return mine;
      continue;
    }
    if (isAlive(holder)) return holder;
    const taking = tryLock(`${path}.${holder.token}`);
    // Another process is about to remove it.
    if (!(taking instanceof HeldLock)) return taking;
    try {
      if (holderOf(path)?.token === holder.token) rmSync(path, { force: true });
    } finally {
      taking.release();
    }
  }
  // There when one is made, gone when it is read: others are busy with it, or the file system is odd.
  return { pid: UNKNOWN, began: "", host: host(), token: "" };
}

/** Makes a lock file; undefined when another process was faster. */
function makeLock(path: string): HeldLock | undefined {
  const token = randomBytes(8).toString("hex");
  const text = [FIRST_LINE, process.pid, beganOf("self"), host(), token, ""].join("\n");
  const draft = `${path}.${token}`;
  try {
    writeFileSync(draft, text, { flag: "wx" });
    try {
      linkSync(draft, path);
    } catch (error) {
      if (["EEXIST", "ENOENT"].includes(systemCode(error))) return undefined;
      if (!makeWithoutLink(path, text)) return undefined;
    } finally {
      removeIfPossible(draft);
    }
    return new HeldLock(path, token, looksOf(path));
  } catch (error) {
    throw ownError(error, path);
  }
}

/**
 * Makes a lock file without a link, where there are none: a process that dies in here leaves a lock without
 * its text.
 */
function makeWithoutLink(path: string, text: string): boolean {
  try {
    const fd = openSync(path, "wx");
    try {
      writeFileSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
  return readFileSync(path, "latin1") === text;
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The next one clears up.
  }
}

/** Reads the holder of a lock; undefined when there is no lock. */
function holderOf(path: string): Holder | undefined {
  try {
    // A pipe would not answer, and what a link leads to, or does not, is none of ours.
    const found = lstatSync(path);
    if (!found.isFile()) throw notLockError(path, found);
    const text = readFileSync(path, "latin1").replaceAll("\0", "");
    const [first = "", pid = "", began = "", hostName = "", token = ""] = text.split("\n");
    if (first === FIRST_LINE && token !== "") return { pid: Number(pid), began, host: hostName, token };
    const { ino, mtimeMs } = statSync(path);
    const torn = FIRST_LINE.startsWith(first) && Date.now() - mtimeMs > TORN_AGE_MS;
    return { pid: torn ? DEAD : UNKNOWN, began: "", host: host(), token: `torn-${ino}-${Math.trunc(mtimeMs)}` };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw ownError(error, path);
  }
}

/** Reads the holder of a lock; undefined when there is none that can be read. */
function holderOrNone(path: string): Holder | undefined {
  try {
    return holderOf(path);
  } catch {
    return undefined;
  }
}

/** Says whether the process may be alive: false only when it certainly is not. */
function isAlive({ pid, began, host: hostName }: Holder): boolean {
  if (hostName !== host() || pid === UNKNOWN) return true;
  if (pid === DEAD) return false;
  try {
    // The signal 0 is none: this only asks.
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === "ESRCH") return false;
  }
  if (began === "") return true;
  const now = beganOf(pid);
  // A process with this number is there, which may be another one.
  return now === undefined ? true : now === began;
}

/**
 * Start of a process: the id of the boot, and the ticks since. Empty for a process that has ended and whose
 * parent has not waited for it yet. Undefined where the system does not say.
 */
function beganOf(pid: number | "self"): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in brackets, may have any characters.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    const [state] = fields;
    if (state === "Z" || state === "X") return "";
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

function host(): string {
  try {
    return hostname();
  } catch {
    // Deno, without the permission.
    return "";
  }
}

/** Text that changes when a file is replaced by another one of that name. */
function looksOf(path: string): string {
  try {
    const { dev, ino, size, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${ctimeNs}`;
  } catch {
    return "";
  }
}

/**
 * Removes files beside the lock that processes left which died while they took it. Only for the holder of the
 * lock: as long as it has it, locks named after other tokens decide nothing.
 */
function removeLeftovers(path: string): void {
  const folder = dirname(path);
  for (const name of namesIn(folder).filter((each) => each.startsWith(`${basename(path)}.`))) {
    const leftover = join(folder, name);
    const holder = holderOrNone(leftover);
    if (holder !== undefined && !isAlive(holder)) rmSync(leftover, { force: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function notLockError(path: string, found: Stats): Error {
  const what = found.isSymbolicLink() ? "a link" : found.isDirectory() ? "a folder" : "no regular file";
  return fileError("foreign", `${path} is ${what}, and no lock of Perilune: remove it`);
}

function lockedBy(holder: Holder, path: string): Error {
  return fileError("locked", `${path}: another writer has it, ${described(holder)}`);
}

function described(holder: Holder | undefined): string {
  if (holder === undefined) return "the file is gone";
  if (holder.pid === UNKNOWN) return "one that this version cannot read; if it has ended, delete the file";
  if (holder.host === host() && holder.began !== "") return `process ${holder.pid}`;
  return `process ${holder.pid} on the host "${holder.host}"; if it has ended, delete the file`;
}
