/** The page of capsule_hooks.test.ts: a shop that writes by way of its hooks as long as it is there. */
import type * as Package from "../src/capsule/index.ts";
import { RULES, SCHEMA } from "../test/capsule_shop.ts";

const PACKAGE = "/dist/capsule.js";
const capsule = (await import(PACKAGE)) as typeof Package;

/** Function of the test, which hears of each write that was acknowledged, and of failures. */
declare const tell: (what: "done" | "unknown" | "failed", text: string) => Promise<void>;

class Shop {
  readonly db: Package.GlyphCase;
  /** Tokens of the orders that it has heard of, in their order. */
  readonly heard: string[] = [];
  /** Orders of the letters that it has heard of. */
  readonly letters: number[] = [];
  isLeader = false;
  isOver = false;
  worker: Worker | undefined;
  #done: Promise<unknown> = Promise.resolve();

  constructor(filename: string) {
    this.db = new capsule.GlyphCase(filename, {
      schema: SCHEMA,
      capsule: { batchInterval: 5 },
      worker: () => (this.worker = new Worker("/dist/capsule_worker.js", { type: "module" })),
    });
    this.db.on("leader", ({ isLeader }) => void (this.isLeader = isLeader));
    this.db.on("error", (error) => {
      if (!this.isOver) void tell("failed", `error: ${String(error)}`);
    });
  }

  /** Opens it, and subscribes to all orders and letters from now on. */
  async open(): Promise<void> {
    const { db } = this;
    await db.installMod({ name: "rules", version: "1", files: { "rules.lua": RULES } });
    await db.execute("INSERT OR IGNORE INTO stock VALUES (1, 0)");
    const [orders, letters] = [db.watch("orders"), db.watch("letters")];
    db.subscribe(orders, (events) => this.heard.push(...events.map(({ newData }) => String(newData["filler"]))));
    db.subscribe(letters, (events) => this.letters.push(...events.map(({ newData }) => Number(newData["order_id"]))));
    await Promise.all([orders.ready, letters.ready]);
  }

  /** Begins to write, with so many writers at a time, whose orders have this tag. */
  write(tag: string, writers: number): void {
    let n = 0;
    const writer = async (kind: number): Promise<void> => {
      while (!this.isOver) {
        const token = `${tag}:${++n}`;
        try {
          await this.#order(kind, token);
          void tell("done", token);
        } catch (error) {
          const { kind: code, message } = error as { kind?: string; message: string };
          // Whoever is told that has not learnt whether it was done: the leader is frozen, or has ended while
          // a script ran.
          if (code === "locked" || (code === "closed" && kind === 3)) void tell("unknown", token);
          else if (!this.isOver) void tell("failed", `${token}: ${code}: ${message}`);
          if (code === "closed" && kind !== 3) return;
        }
      }
    };
    this.#done = Promise.all(Array.from({ length: writers }, (_, i) => writer(i % 4)));
  }

  async #order(kind: number, token: string): Promise<void> {
    const { db } = this;
    const row = { price: 5, count: 1 + (token.length % 3), filler: token };
    if (kind === 0) await db.insert("orders", row);
    else if (kind === 1) {
      const sql = "INSERT INTO orders(price, count, total, filler) VALUES (7, 1, 7, ?)";
      await db.execute(sql, [token]);
    } else if (kind === 2) {
      await db.transaction(async (tx) => {
        await tx.insert("orders", row);
        await tx.query("SELECT 1");
      });
    } else await db.mod("rules").call("order", token);
  }

  /** Ends writing. */
  async rest(): Promise<void> {
    this.isOver = true;
    await this.#done;
  }
}

Object.assign(globalThis, { Shop, ready: true });

export type ShopClass = typeof Shop;
export type { Shop };
