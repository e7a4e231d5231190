// Perilune: its snapshots are compressed as they are.

import { WASM, create, image, needSnapshots, restore } from "../engines/perilune.mjs";
import { compiled } from "./module.mjs";

export const language = "lua";

export async function open() {
  await needSnapshots();
  const wasm = await compiled(WASM);
  return {
    create: () => create({ wasm }),
    snapshot: (vm) => vm.snapshot(),
    pack: (bytes) => bytes,
    unpack: (packed) => packed,
    restore: (bytes) => restore(bytes, { wasm }),
    image: (bytes) => image(bytes, { wasm }),
    start: (from) => restore(from),
    fork: (vm) => vm.fork(),
  };
}
