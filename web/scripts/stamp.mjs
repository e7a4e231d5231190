/**
 * `node scripts/stamp.mjs FILE`: gives a wasm module its build id, a custom section `perilune.build` with the
 * first 16 bytes of the SHA-256 of all the rest. Images of a VM say which build they belong to: addresses in
 * them mean nothing to another.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const NAME = "perilune.build";
const ID_BYTES = 16;

const [file] = process.argv.slice(2);
const module = readFileSync(file);
// By its name in the bytes: not every module that is built here can be compiled by every Node.
if (module.includes(NAME)) {
  throw new Error(`${file} has a build id already`);
}
const id = createHash("sha256").update(module).digest().subarray(0, ID_BYTES);
// A section: 0, its length, the length of its name, its name, its contents. All lengths are below 128: one
// byte.
const body = Buffer.concat([Buffer.from([NAME.length]), Buffer.from(NAME), id]);
writeFileSync(file, Buffer.concat([module, Buffer.from([0, body.length]), body]));
