// Timing of capturing and restoring a VM, the same in Node and in a page. A sample has a figure for each way.
//
// Only the operation itself stands between two readings of the clock. A VM is there when its first eval has
// answered.

import { STATES } from "../vms/programs.mjs";
import { VMS } from "../vms/index.mjs";
import { rotated } from "./turns.mjs";

/**
 * Opens the VMs called `name` for one of STATES. Resolves to a function that takes one sample of the
 * `figures` asked for.
 */
export async function openSnapshotTask(name, { state, records, figures }) {
  const { language } = VMS[name];
  const vms = await VMS[name].open();
  const { program, first, digest } = STATES[state].of(records)[language];

  const create = async () => {
    const vm = await vms.create();
    if (program) vm.eval(program);
    return vm;
  };
  const original = await create();
  const expected = original.eval(first);
  const bytes = vms.snapshot(original);
  const packed = await vms.pack(bytes);
  const image = await vms.image(bytes);
  const check = await sameDigest([vms.restore(bytes), vms.start(image), vms.fork(original)], digest);

  const answering = async (starting) => {
    const vm = await starting;
    const answer = vm.eval(first);
    if (answer !== expected) throw new Error(`${answer} instead of ${expected}`);
    return vm;
  };
  const WAYS = {
    create: () => answering(create()),
    capture: () => vms.snapshot(original),
    capture_packed: () => vms.pack(vms.snapshot(original)),
    restore: () => answering(vms.restore(bytes)),
    restore_packed: async () => answering(vms.restore(await vms.unpack(packed))),
    start: () => answering(vms.start(image)),
    fork: () => answering(vms.fork(original)),
  };
  const sizes = { bytes: bytes.length, bytes_packed: packed.length };

  let turn = 0;
  return async (count) => {
    const figuresNow = { ...sizes };
    const ways = figures.filter((figure) => figure in WAYS);
    for (const way of rotated(ways, turn++)) {
      let ms = 0;
      for (let i = 0; i < count; i++) {
        // It lives, and is not original as if nothing had happened since.
        original.eval(first);
        const start = performance.now();
        const made = await WAYS[way]();
        ms += performance.now() - start;
        await made.close?.();
      }
      figuresNow[way] = ms / count;
    }
    return { figures: figuresNow, check };
  };
}

/** Throws unless the VMs have one digest, which is the result: every way restores the same. */
async function sameDigest(starting, digest) {
  const digests = new Set();
  for (const vm of await Promise.all(starting)) {
    digests.add(vm.eval(digest));
    await vm.close();
  }
  if (digests.size > 1) throw new Error(`it is not the same: ${[...digests].join("; ")}`);
  return [...digests][0];
}
