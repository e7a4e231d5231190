/** Log files: opened up to their last good commit, or made and put in their place. */
import { Append, writeFully } from "./append.js";
import type { Lock } from "./file_lock.js";
import type { Files, OpenedFile } from "./files.js";
import { HEAD_BYTES, mark, newHead, readHead, records, startOf, type FileId, type Position } from "./log.js";
import { refuseDamage, scan } from "./scan.js";

/** Open log, and its state. */
export interface Log {
  file: OpenedFile;
  id: FileId;
  /** End of the last commit. */
  end: Position;
  /** Offset up to which it is on the disk. */
  synced: number;
  /** Offset up to which its two marks say so. */
  marks: [number, number];
}

/** Place of the newest record of a key. */
export interface Place {
  offset: number;
  size: number;
}

/** Change of a key in a commit; without a place the record is gone. */
export interface Staged {
  key: string;
  place: Place | undefined;
}

/** Finds the last good commit and all records up to it; cuts off bytes behind it. */
export async function recoverLog(
  file: OpenedFile,
  size: number,
  path: string,
): Promise<{ log: Log; index: Map<string, Place> }> {
  const head = new Uint8Array(Math.min(size, HEAD_BYTES));
  await file.read(head, 0);
  const { id, marks } = readHead(head, path);
  const index = new Map<string, Place>();
  let staged: Staged[] = [];
  const found = await scan(file, id, startOf(id), size, {
    data(payload, at) {
      for (const { key, value, at: start, size: length } of records(payload)) {
        staged.push({ key, place: value === null ? undefined : { offset: at + start, size: length } });
      }
    },
    commit() {
      settle(staged, index);
      staged = [];
    },
  });
  const marked = Math.max(...marks);
  await refuseDamage(file, id, found, marked, size, path);
  const end = found.end.offset;
  if (end < size) await file.truncate(end);
  if (end < size || end > marked) await file.sync();
  return { log: { file, id, end: found.end, synced: end, marks }, index };
}

/**
 * Makes a new log in the place of the one at `path`, with the records that `fill` appends; when this rejects,
 * the old one stays.
 */
export async function writeLog(
  files: Files,
  path: string,
  lock: Lock,
  mode: number | undefined,
  fill: (append: Append) => Promise<void>,
): Promise<Log> {
  // A process that has taken the lock away may be writing one, too.
  lock.verify();
  const made = successor(path);
  let file: OpenedFile | undefined;
  try {
    file = await files.create(made, mode);
    const { bytes: head, id } = newHead();
    const append = new Append(file, id, startOf(id));
    await fill(append);
    const end = append.empty ? startOf(id) : await append.commit(HEAD_BYTES);
    // It takes its place only when all of it is on the disk, so its marks may say so from the beginning.
    for (const which of [0, 1] as const) {
      const { bytes, offset } = mark(which, end.offset, id);
      head.set(bytes, offset);
    }
    await writeFully(file, head, 0);
    await file.sync();
    lock.verify();
    await files.rename(made, path);
    return { file, id, end, synced: end.offset, marks: [end.offset, end.offset] };
  } catch (error) {
    await file?.close().catch(() => {});
    await files.remove(made).catch(() => {});
    throw error;
  }
}

/** Removes the new log of a writer that died. */
export async function removeSuccessor(files: Files, path: string): Promise<void> {
  await files.remove(successor(path));
}

/** Path of a log that is to replace the one at `path`. */
function successor(path: string): string {
  return `${path}.new`;
}

/** Adds a commit to the index. Returns how many bytes more are live. */
export function settle(staged: Staged[], index: Map<string, Place>): number {
  let bytes = 0;
  for (const { key, place } of staged) {
    bytes += (place?.size ?? 0) - (index.get(key)?.size ?? 0);
    if (place === undefined) index.delete(key);
    else index.set(key, place);
  }
  return bytes;
}
