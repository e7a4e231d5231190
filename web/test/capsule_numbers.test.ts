/** The numbers of the operations of a capsule: the same in docs/codec.md, in Rust and in TypeScript. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { CapsuleOperation } from "../src/capsule/operations.ts";

const read = (path: string) => readFileSync(resolve("..", path), "utf8");

/** A name without what tells the languages apart: `take_message` and `takeMessage` are one. */
const plain = (name: string) => name.replaceAll("_", "").toLowerCase();

test("operations have one number each", () => {
  const [, section = ""] = read("docs/codec.md").split("## 7. Operations of the capsule");
  const documented = [...section.matchAll(/^\| (\d{3}) \| (\w+) \|/gm)].map(([, number, name = ""]) => [
    Number(number),
    plain(name),
  ]);
  const [, list = ""] = read("crates/capsule/src/operations/mod.rs").split("const OPERATIONS:");
  const [rust = ""] = list.split("\n];");
  const inRust = [...rust.matchAll(/^ {4}\("(\w+)",/gm)].map(([, name = ""], index) => [256 + index, plain(name)]);
  const ours = Object.entries(CapsuleOperation)
    .filter(([name]) => Number.isNaN(Number(name)))
    .map(([name, number]) => [number, plain(name)]);
  assert.ok(documented.length >= 48);
  assert.deepEqual(inRust, documented);
  assert.deepEqual(ours, documented);
});
