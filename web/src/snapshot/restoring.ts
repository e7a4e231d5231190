/**
 * Everything that `Lua.restore`, `Lua.image`, `lua.fork` and the option `resume` need beside a VM: a part
 * that is loaded when it is used (part.ts).
 */
export { checkBuild, decodeImage } from "./decode.js";
export { fillingOf, restoreVm, unpackImage } from "./restore.js";
export { keep, resume } from "./resume.js";
