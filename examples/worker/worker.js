/** One VM. A message `{ id, code }` is answered by `{ id, values, output }` or `{ id, error, output }`. */
import { Lua } from "./node_modules/perilune/dist/index.js";

/**
 * A busy worker that was ended keeps the storage locked for some two seconds more: then its successor asks
 * again.
 */
async function open(tries = 5) {
  try {
    return await Lua.create({ storage: "idb://worker-example" });
  } catch (error) {
    if (error.code !== "locked" || tries === 1) throw error;
    return open(tries - 1);
  }
}

const opening = open();
// Every message is answered with the reason; it need not be in the console as well.
opening.catch(() => {});

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
