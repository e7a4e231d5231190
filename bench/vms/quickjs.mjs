// quickjs-wasi: QuickJS-NG, whose snapshot is its linear memory. Compressing that is left to the program:
// here deflate.

import { deflated, inflated } from "./deflate.mjs";
import { compiled } from "./module.mjs";

export const language = "js";

const WASM = new URL("../node_modules/quickjs-wasi/quickjs.wasm", import.meta.url);

export async function open() {
  // Not at the top: the process that runs the benchmarks imports this file, too, and may do without.
  const { QuickJS } = await import("quickjs-wasi");
  const wasm = await compiled(WASM);
  const start = async (snapshot) => wrapped(await QuickJS.restore(snapshot, { wasm }));
  return {
    create: async () => wrapped(await QuickJS.create({ wasm })),
    snapshot: ({ vm }) => QuickJS.serializeSnapshot(vm.snapshot()),
    pack: deflated,
    unpack: inflated,
    restore: (bytes) => start(QuickJS.deserializeSnapshot(bytes)),
    image: async (bytes) => QuickJS.deserializeSnapshot(bytes),
    start,
    fork: ({ vm }) => start(vm.snapshot()),
  };
}

function wrapped(vm) {
  return { vm, eval: (code) => vm.evalCode(code).consume((handle) => vm.dump(handle)), close: () => vm.dispose() };
}
