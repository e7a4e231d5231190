/** The class behind `lua.files`, and what a new VM is given of files, arguments and environment variables. */
import { LuaError } from "./errors.js";
import { isUint8Array } from "./brands.js";
import { Operation } from "./codec/tags.js";
import { className, typeName } from "./names.js";
import type { FileSystemOptions, GivenFiles, LuaOptions } from "./options.js";
import type { Vm } from "./vm.js";

/** A file as `list` shows it. */
export interface FileInfo {
  /** Path from the root, without a slash in front. */
  readonly path: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** True if programs can only read it. */
  readonly readOnly: boolean;
}

/** The files of a VM, as the page sees them. */
export class LuaFiles {
  readonly #vm: Vm;

  /** @internal Constructor for `Lua`. */
  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /** Returns the content of a file; undefined when there is none. */
  read(path: string): Uint8Array | undefined {
    const content = this.#request(["read", checkPath(path)])[0];
    return content as Uint8Array | undefined;
  }

  /** Returns the content of a file as text; undefined when there is none. What is no UTF-8 becomes U+FFFD. */
  readText(path: string): string | undefined {
    const content = this.read(path);
    return content && new TextDecoder("utf-8", { ignoreBOM: true }).decode(content as Uint8Array<ArrayBuffer>);
  }

  /** Puts a file in the place of what was there; a read-only one is for programs to read. */
  write(
    path: string,
    content: string | Uint8Array,
    { readOnly = false }: { readOnly?: boolean | undefined } = {},
  ): void {
    if (typeof content !== "string" && !isUint8Array(content)) {
      throw new TypeError(`a file must be a string or a Uint8Array, not a ${className(content)}`);
    }
    this.#request(["write", checkPath(path), content, readOnly === true]);
  }

  /** Removes a file, and says whether it was there. */
  remove(path: string): boolean {
    return this.#request(["remove", checkPath(path)])[0] === true;
  }

  /** Lists all files, in the order of their paths. */
  list(): FileInfo[] {
    const list = this.#vm.request(Operation.files, ["list"]);
    const files: FileInfo[] = [];
    for (let at = 0; at < list.length; at += 3) {
      // A path that is no UTF-8 comes as bytes; it is shown as well as can be.
      const path = list[at + 2];
      const text = typeof path === "string" ? path : new TextDecoder().decode(path as Uint8Array<ArrayBuffer>);
      files.push({ path: text, bytes: Number(list[at]), readOnly: list[at + 1] === true });
    }
    return files;
  }

  #request(args: unknown[]): unknown[] {
    return this.#vm.request(Operation.files, args, undefined, { strings: "bytes" });
  }
}

/** Table that files are kept in, when no other is named. */
const TABLE = "files";

/** Options that say what a new VM is given. */
type GivenOptions = Pick<LuaOptions, "files" | "fileSystem" | "args" | "env" | "readOnly" | "storage">;

/** Gives a new VM what its options say. */
export function giveFiles(vm: Vm, { files, fileSystem, args, env, readOnly, storage }: GivenOptions): void {
  if (args !== undefined) vm.request(Operation.files, ["arguments", ...args]);
  // Read as names and values by turns.
  if (env !== undefined) vm.request(Operation.files, ["environment", ...(env as unknown as string[])]);
  if (files === undefined && fileSystem === undefined) return;
  vm.mayHaveFiles = true;
  const { limit, keep, readOnly: isReadOnly = false }: FileSystemOptions = fileSystem ?? {};
  const isStored = storage !== undefined && storage !== "memory://";
  let table = typeof keep === "string" ? keep : (keep ?? isStored) ? TABLE : undefined;
  // Who reads along can make no table.
  if (readOnly === true && table !== undefined && !vm.store.names().includes(table)) table = undefined;
  vm.request(Operation.files, ["open", isReadOnly || readOnly === true, limit, table]);
  const given = (files ?? []) as unknown as GivenFiles;
  const kept = new Set(readOnly === true ? new LuaFiles(vm).list().map(({ path }) => path) : []);
  for (const [path, content, isFixed] of given) {
    if (!kept.has(path)) vm.request(Operation.files, ["add", path, content, isFixed || readOnly === true]);
  }
}

function checkPath(path: unknown): string {
  if (typeof path !== "string") throw new TypeError(`a path must be a string, not ${typeName(path)}`);
  if (path.includes("\0")) throw new LuaError("usage", "a path has no NUL");
  return path;
}
