// Perilune: its snapshots are compressed as they are.

import { BUILDS } from "../engines/index.mjs";
import { compiled } from "./module.mjs";

/** The VMs of a build of Perilune. */
export function snapshotVms(build) {
  return { language: "lua", open: () => open(BUILDS[build]) };
}

async function open({ wasm: address, needSnapshots, create, restore, image }) {
  await needSnapshots();
  const wasm = await compiled(address);
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
