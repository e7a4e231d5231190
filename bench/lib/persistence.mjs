// Perilune's own question, which nobody else can be asked: how long until data is safe, and until it is back?
//
// In Chromium, with storage in IndexedDB: N entries written by one eval, flush(), reload of the page, create(), all read.

import { summary } from "./stats.mjs";

const STEPS = {
  write: "written by one eval",
  flush: "flush()",
  open: "reload: Lua.create() with the stored table",
  read: "first read of every entry",
};

export async function persistence(browser, entries, rounds) {
  const samples = Object.fromEntries(Object.keys(STEPS).map((step) => [step, []]));
  for (let round = 0; round < rounds; round++) {
    const { context, page } = await browser.blank();
    const written = await page.evaluate(write, entries);
    await page.reload();
    const back = await page.evaluate(read, entries);
    await context.close();
    for (const [step, ms] of Object.entries({ ...written, ...back })) samples[step].push(ms);
  }
  return Object.entries(STEPS).map(([step, title]) => ({
    id: `persistence/${step}_${entries}`,
    title: `${entries} entries: ${title}`,
    unit: "ms",
    engines: { perilune: { ...summary(samples[step]), samples: samples[step] } },
  }));
}

/** In the page. */
async function write(entries) {
  const { create } = await import("/bench/engines/perilune.mjs");
  const lua = await create({ storage: "idb://bench" });
  const t0 = performance.now();
  lua.eval(`
    local t = ext.table("bench")
    for i = 1, ${entries} / 2 do
      t[i] = i * 1.5
      t["key" .. i] = "value " .. i
    end
  `);
  const t1 = performance.now();
  await lua.flush();
  const t2 = performance.now();
  await lua.close();
  return { write: t1 - t0, flush: t2 - t1 };
}

/** In the page, after its reload. */
async function read(entries) {
  const { create } = await import("/bench/engines/perilune.mjs");
  const t0 = performance.now();
  const lua = await create({ storage: "idb://bench" });
  const t1 = performance.now();
  const count = lua.eval('local n = 0 for _ in pairs(ext.table("bench")) do n = n + 1 end return n');
  const t2 = performance.now();
  if (count !== entries) throw new Error(`${count} of ${entries} entries came back`);
  await lua.close();
  return { open: t1 - t0, read: t2 - t1 };
}
