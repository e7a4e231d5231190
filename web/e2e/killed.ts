/** A Chromium that is killed, all of it at once: the browser, its storage service, its renderers. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../test/time.ts";
import { EXECUTABLE, FLAGS } from "./browser.ts";

/** One at a time, with one profile. */
export class Killed {
  readonly #folder: string;
  #chromium: ChildProcess | undefined;

  /** `folder`: for the profile and whatever else it leaves behind. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  start(page: string, flags: readonly string[], log: string): void {
    const output = openSync(join(this.#folder, log), "w");
    this.#chromium = spawn(
      EXECUTABLE,
      [...FLAGS, ...flags, "--enable-logging=stderr", `--user-data-dir=${join(this.#folder, "profile")}`, page],
      { detached: true, stdio: ["ignore", "ignore", output], env: { ...process.env, TMPDIR: this.#folder } },
    );
  }

  /** Resolves when none of its processes is left. */
  async kill(): Promise<void> {
    const browser = this.#chromium;
    if (browser?.pid === undefined) return;
    this.#chromium = undefined;
    const gone = new Promise((resolve) => browser.once("exit", resolve));
    process.kill(-browser.pid, "SIGKILL");
    await gone;
    // Chromium's own crash handlers have left the group; they end by themselves, and are helped if they do
    // not.
    let looks = 0;
    await until(() => {
      const left = this.processes();
      looks += 1;
      // Those that have gone meanwhile are no error.
      if (looks > 500) for (const pid of left) spawnSync("kill", ["-9", String(pid)]);
      return left.length === 0;
    });
  }

  /** Processes that have the folder in their arguments or their environment; none where there is no /proc. */
  processes(): number[] {
    const has = (pid: string, file: string) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, "latin1").includes(this.#folder);
      } catch {
        return false;
      }
    };
    try {
      return readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name) && (has(name, "cmdline") || has(name, "environ")))
        .map(Number);
    } catch {
      return [];
    }
  }
}
