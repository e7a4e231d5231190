// VMs whose whole memory can be captured and restored: Perilune, and its peer.
//
// Each has the `language` of its programs, and open(), which resolves, with its module compiled, to:
//   create()      a fresh VM
//   snapshot(vm)  all that it is, as bytes that can be stored
//   pack(bytes)   those compressed, as a program would store them
//   unpack(packed)
//   restore(bytes)
//   image(bytes)  decoded once; start(image) begins VMs from it
//   fork(vm)      another VM, the same as this one is now, without bytes in between
// A VM has eval(code), which gives the value of its program, and close().

import { snapshotVms } from "./perilune.mjs";
import * as quickjs from "./quickjs.mjs";

export const VMS = { perilune: snapshotVms("perilune"), base: snapshotVms("base"), quickjs };
