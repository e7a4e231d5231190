/** One VM. A message `{ id, code }` is answered by `{ id, values, output }` or `{ id, error, output }`. */
import { Lua } from "./node_modules/perilune/dist/index.js";

// Messages that come meanwhile must not be missed: the listener is there before the VM is.
const opening = Lua.create({ storage: "idb://worker-example" });

addEventListener("message", async ({ data: { id, code } }) => {
  try {
    const lua = await opening;
    const { values, output } = lua.run(code, { name: "page" });
    // Values that can be copied to the page: no functions and no handles of tables.
    postMessage({ id, values, output });
  } catch (error) {
    postMessage({ id, error: String(error), output: error.output ?? "" });
  }
});
