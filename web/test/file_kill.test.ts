/**
 * A writer that is killed at any moment: what is found afterwards is one of its commits, whole, and none
 * older than the last one that it said was committed.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, suite, test } from "node:test";
import { openFile } from "../src/storage/file/open.ts";
import { noise, recordsOf, same } from "./backend_conformance.ts";
import { part, partArguments, startChild } from "./child.ts";
import { Random } from "./helpers.ts";
import { pause } from "./time.ts";

const KILLS = 55;
const here = fileURLToPath(import.meta.url);

type Records = Map<string, Uint8Array>;

/**
 * Returns the changes of commit `n`: small and large, new and removed, and so much over and over that the log
 * is written anew.
 */
function changesOf(n: number): [string, Uint8Array | null][] {
  const number = new TextEncoder().encode(String(n));
  const changes: [string, Uint8Array | null][] = [
    ["first", number],
    [`large ${n % 5}`, noise(n % 11 === 0 ? 1_100_000 : 60_000, n)],
    [`removed ${(n + 3) % 7}`, null],
    [`removed ${n % 7}`, number],
    ["last", number],
  ];
  return n % 4 === 0 ? changes.filter(([key]) => !key.startsWith("large")) : changes;
}

function apply(records: Records, n: number): void {
  for (const [key, bytes] of changesOf(n)) {
    if (bytes === null) records.delete(key);
    else records.set(key, bytes);
  }
}

async function numberOf(records: Records): Promise<number> {
  const bytes = records.get("first");
  return bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes));
}

if (part === "write") {
  const [path = "", durability] = partArguments;
  const backend = await openFile(path, { durability: durability as "relaxed" | "strict", lockTimeout: 0 });
  for (let n = (await numberOf(await recordsOf(backend))) + 1; ; n += 1) {
    await backend.commit(changesOf(n));
    // At once, not when the pipe has time.
    writeSync(1, `${n}\n`);
  }
} else {
  const folder = mkdtempSync(join(tmpdir(), "perilune-kill-"));
  after(() => rmSync(folder, { recursive: true }));

  suite("a writer that is killed", { concurrency: 2 }, () => {
    for (const durability of ["relaxed", "strict"] as const) {
      test(`${durability}: leaves a commit, whole`, async () => {
        const path = join(folder, durability);
        const random = new Random(durability.length);
        const expected: Records = new Map();
        let reached = 0;
        let compacting = 0;
        for (let kill = 0; kill < KILLS; kill += 1) {
          const child = startChild(here, "write", path, durability);
          // Mostly while it commits, sometimes while it opens the file that its predecessor left.
          if (kill % 5 === 0) await pause(40 + random.below(80));
          else {
            const commits = 1 + random.below(4);
            await child.says(() => child.lines.length >= commits);
            await pause(random.below(10));
          }
          await child.kill();
          const acknowledged = Number(child.lines.at(-1) ?? reached);
          if (existsSync(`${path}.new`)) compacting += 1;
          if (!existsSync(path)) continue;

          const backend = await openFile(path, { durability, lockTimeout: 0 });
          const records = await recordsOf(backend);
          await backend.close();
          const found = await numberOf(records);
          assert.ok(found === acknowledged || found === acknowledged + 1, `${found} after ${acknowledged}`);
          while (reached < found) apply(expected, (reached += 1));
          same(records, expected);
        }
        assert.ok(reached > KILLS, `${reached} commits`);
        assert.ok(statSync(path).size < 6_000_000);
        // No litter of those who died.
        const names = readdirSync(folder).filter((name) => name.startsWith(`${durability}.`));
        assert.deepEqual(
          names.filter((name) => name !== `${durability}.lock`),
          [],
        );
        console.log(
          `${durability}: ${KILLS} kills, ${reached} commits, ${compacting} killed while the log was written anew`,
        );
      });
    }
  });
}
