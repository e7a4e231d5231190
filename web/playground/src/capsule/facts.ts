/** Facts about the database: where it is kept, how queries follow, and how long statements take. */
import { isCapsuleError, type Durability, type Explanation, type GlyphCase } from "perilune/capsule";
import { byId, el } from "../view/dom.ts";
import { count, counted, size } from "../view/format.ts";

/** Statements that are shown, of those that came most often. */
const STATEMENTS_MAX = 20;

const FILES: Record<Durability["files"], string> = {
  opfs: "OPFS: a SQLite file of this site's own, in the browser",
  file: "A SQLite file",
  memory: "Memory of this page: this browser has no files for it here",
};

const SURVIVES: Record<Durability["survives"], string> = {
  nothing: "Nothing: a reload begins anew",
  crash: "Reload, and a crash of page or browser",
  "power-cut": "Reload, crash, and a power cut",
};

/** Meaning of each rung. */
const RUNGS: Record<Explanation["rung"], string> = {
  table: "tells changed rows",
  keys: "reads changed rows",
  images: "asks changed rows",
  columns: "runs if its columns change",
  commits: "runs after each commit",
};

/** A watcher or a live query of the view, and its explanation. */
export interface Follower {
  name: string;
  about: string;
  explain(): Promise<Explanation>;
}

export class Facts {
  readonly #db: GlyphCase;
  readonly #followers: readonly Follower[];
  #isDue = false;
  /** The refresh that is under way. */
  #running: Promise<void> | undefined;

  constructor(db: GlyphCase, followers: readonly Follower[]) {
    this.#db = db;
    this.#followers = followers;
  }

  /**
   * Shows everything anew; changes that come meanwhile are shown together.
   *
   * @returns when everything is shown, also where another call is already at it.
   */
  refresh(): Promise<void> {
    this.#isDue = true;
    this.#running ??= this.#refreshWhileDue();
    return this.#running;
  }

  async #refreshWhileDue(): Promise<void> {
    try {
      while (this.#isDue) {
        this.#isDue = false;
        const [durability, ...explanations] = await Promise.all([
          this.#db.durability(),
          ...this.#followers.map((follower) => follower.explain()),
        ]);
        this.#kept(durability);
        this.#explained(explanations);
        this.#timings();
      }
    } catch (error) {
      // It is closed, or the tab that has the database does not answer: whoever waits for a call hears of it.
      if (!isCapsuleError(error)) throw error;
    } finally {
      this.#running = undefined;
    }
  }

  #kept({ files, survives, journal, synchronous, persisted, usage, quota }: Durability): void {
    const kept = byId("c-kept");
    kept.dataset["files"] = files;
    kept.textContent = files === "memory" ? "In memory, until this page ends" : "Kept on this device";
    const facts: [string, string][] = [
      ["Files", FILES[files]],
      ["Survives", SURVIVES[survives]],
      ["SQLite", `journal ${journal}, synchronous ${synchronous}`],
    ];
    if (persisted !== undefined)
      facts.push(["Browser", persisted ? "Has promised to keep it" : "May clear it when room runs out"]);
    if (usage !== undefined && quota !== undefined) facts.push(["Room", `${size(usage)} of ${size(quota)} in use`]);
    byId("c-facts").replaceChildren(
      ...facts.flatMap(([name, fact]) => [el("dt", {}, name), el("dd", { "data-fact": name.toLowerCase() }, fact)]),
    );
    byId("c-second").title =
      files === "memory"
        ? "Without files each tab has a database of its own"
        : "What you change there appears here, and the other way round";
  }

  #explained(explanations: readonly Explanation[]): void {
    byId("c-explained").replaceChildren(
      ...explanations.map(({ rung, reason, decided }, i) => {
        const { name, about } = this.#followers[i] as Follower;
        const sums = Object.entries(decided).map(([by, number]) => `${by} ${count(number)}`);
        return el(
          "li",
          { testid: "c-explanation", "data-rung": rung },
          el("strong", {}, name),
          el("span", { class: "rung" }, rung),
          el("span", { class: "meaning" }, RUNGS[rung]),
          el("code", {}, about),
          el("span", { class: "reason" }, reason),
          el("span", { class: "decided" }, `commits decided by ${sums.join(" · ")}`),
        );
      }),
    );
  }

  #timings(): void {
    const all = Object.entries(this.#db.performance.report().queries).sort(([, a], [, b]) => b.count - a.count);
    byId("c-timings").replaceChildren(
      ...all
        .slice(0, STATEMENTS_MAX)
        .map(([sql, { count: times, p50, p95 }]) =>
          el(
            "tr",
            { testid: "c-timing" },
            el("th", { scope: "row", title: sql }, el("code", {}, sql.replace(/\s+/g, " "))),
            el("td", {}, count(times)),
            el("td", {}, p50.toFixed(2)),
            el("td", {}, p95.toFixed(2)),
          ),
        ),
      ...(all.length > STATEMENTS_MAX
        ? [
            el(
              "tr",
              {},
              el("td", { colspan: "4" }, `${counted(all.length - STATEMENTS_MAX, "more statement")}, not shown`),
            ),
          ]
        : []),
    );
  }
}
