/** Drafts of the user in localStorage: one for each program that was changed, and for the capsule's rules. */
import { PROGRAMS, type Program } from "./programs.ts";

const DRAFTS = "perilune-demo.drafts";
const CURRENT = "perilune-demo.program";

/** A text that can be edited, and its name among the drafts. */
type Original = Pick<Program, "id" | "source">;

/** Returns the program that was open last. */
export function lastProgram(): Program {
  const id = read(CURRENT);
  const first = PROGRAMS[0];
  if (first === undefined) throw new Error("there are no programs");
  return PROGRAMS.find((program) => program.id === id) ?? first;
}

export function rememberProgram({ id }: Program): void {
  write(CURRENT, id);
}

/** The program as the user left it. */
export function draftOf({ id, source }: Original): string {
  return drafts()[id] ?? source;
}

/** Keeps a text; forgets it when it is the original. */
export function keepDraft({ id, source }: Original, text: string): void {
  const all = drafts();
  if (text === source) delete all[id];
  else all[id] = text;
  write(DRAFTS, JSON.stringify(all));
}

function drafts(): Record<string, string> {
  try {
    const all: unknown = JSON.parse(read(DRAFTS) ?? "{}");
    return { ...(all as Record<string, string>) };
  } catch {
    return {};
  }
}

/** Reads an item; null where localStorage is forbidden: drafts last as long as the page then. */
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Full or forbidden: the text is still in the editor.
  }
}
