/** Test files that are also programs: run again in another process, they do the part that was asked for. */
import { spawn, type ChildProcess } from "node:child_process";
import process from "node:process";

/** The part that this process was started for; undefined in the process of the tests. */
export const part: string | undefined = process.argv[2];
export const partArguments: string[] = process.argv.slice(3);

export interface Child {
  process: ChildProcess;
  pid: number;
  /** The lines that it has written. */
  lines: string[];
  /** Resolves when it has written a line that passes. */
  says(passes: (line: string) => boolean): Promise<string>;
  /** Kills it as nothing else can, and waits until it is gone. */
  kill(): Promise<void>;
  ended: Promise<number | null>;
}

/** Runs `file` as a program. */
export function startChild(file: string, name: string, ...args: string[]): Child {
  const env = { ...process.env };
  // It is no test to its runner.
  delete env.NODE_TEST_CONTEXT;
  const child = spawn(process.execPath, [file, name, ...args], { env, stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  let rest = "";
  let heard = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    heard();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  const says = (passes: (line: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      heard = () => {
        const line = lines.find(passes);
        if (line !== undefined) resolve(line);
      };
      heard();
      void ended.then((code) => reject(new Error(`the process ended with ${code}; it said ${lines.join(", ")}`)));
    });
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  return { process: child, pid: child.pid ?? 0, lines, says, kill, ended };
}
