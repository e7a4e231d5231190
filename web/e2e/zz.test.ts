import { test } from "node:test";
import { setUp } from "./browser.ts";
test("timing", async () => {
  const setup = await setUp();
  const page = await setup.open();
  for (const storage of ["idb://speed1", "idb://speed2?", "idb://speed3","idb://speed4?"]) console.log(storage, await page.evaluate(async (storage) => {
    const lua = await perilune.Lua.create({ storage });
    if (storage.endsWith("?")) await new Promise((r) => setTimeout(r, 100));
    const out: Record<string, number> = {};
    const time = async (name: string, work: () => unknown) => { const t = performance.now(); await work(); out[name] = Math.round(performance.now() - t); };
    await time("insert 100k int", () => lua.eval("u = ext.table('u') for i = 1, 100000 do u[i] = i end"));
    await time("insert 100k int again", () => lua.eval("u = ext.table('u2') for i = 1, 100000 do u[i] = i end"));
    await time("insert 100k str", () => lua.eval("u = ext.table('u3') for i = 1, 100000 do u['k'..i] = i end"));
    await time("overwrite 100k str", () => lua.eval("u = ext.table('u3') for i = 1, 100000 do u['k'..i] = i end"));
    await time("get 100k str", () => lua.eval("u = ext.table('u3') local s = 0 for i = 1, 100000 do s = s + u['k'..i] end"));
    await lua.close({discard:true});
    return out;
  }, storage));
  await setup.close();
});
