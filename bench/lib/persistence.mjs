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
    const { ask, close } = await browser.ordinary();
    const database = `bench-${entries}-${round}`;
    const written = await ask({ kind: "write", database, entries });
    await ask({ kind: "reload" });
    const back = await ask({ kind: "read", database, entries });
    await close();
    for (const [step, ms] of Object.entries({ ...written, ...back })) samples[step].push(ms);
  }
  return Object.entries(STEPS).map(([step, title]) => ({
    id: `persistence/${step}_${entries}`,
    title: `${entries} entries: ${title}`,
    unit: "ms",
    engines: { perilune: { ...summary(samples[step]), samples: samples[step] } },
  }));
}
