// A program that is never idle for long: evals of a millisecond or two, each of which changes some of its
// memory and, if it has one, an entry of an external table, with a turn of the event loop after each. Run
// with and without `resume`.

import { BUILDS } from "../engines/index.mjs";
import { storageAt } from "../stores/perilune.mjs";

/**
 * Program with some 300 KB of records; a turn gives new texts and numbers to 60 of them, and counts for a
 * while.
 */
const PROGRAM = `
  records, turns = {}, 0
  for i = 1, 950 do
    records[i] = { id = i, text = "record " .. i, values = { i, i * 2, i * 3, i * 4 } }
  end
  function begin(has_table)
    target = has_table and ext.table("busy") or {}
  end
  function turn()
    turns = turns + 1
    for i = 1, 60 do
      local record = records[(turns * 37 + i * 11) % #records + 1]
      record.text = "record " .. record.id .. ", turn " .. turns
      record.values[i % 4 + 1] = turns
    end
    local sum = 0
    for i = 1, 90000 do sum = (sum * 31 + i) % 1000003 end
    target.turns, records[sum % #records + 1].sum = turns, sum
  end`;
const WARMUP_MS = 500;

export const BUSY_STEPS = {
  /** Runs turns for `ms`, measures their mean and the longest, and commits everything. */
  async busy({ build, place, resume, table, ms }) {
    const lua = await open(build, place, resume);
    lua.eval(`${PROGRAM} begin(${table})`);
    await turnsFor(lua, WARMUP_MS);
    const figures = await turnsFor(lua, ms);
    const { luaUsed } = lua.stats().memory;
    const turns = lua.eval("return turns");
    await lua.flush();
    await lua.close();
    return { figures, turns, luaUsed };
  },

  /** Reads what was stored: the turns counted in memory, and those counted in the external table. */
  async busy_back({ build, place, resume }) {
    const lua = await open(build, place, resume);
    const [memory, table] = ["return turns or 0", 'return ext.table("busy").turns or 0'].map((code) => lua.eval(code));
    await lua.close();
    return { memory, table };
  },
};

/** Opens the VM; a build without the option `resume` is left out. */
async function open(build, place, resume) {
  return BUILDS[build].create({ storage: storageAt(place), resume }).catch((error) => {
    throw /"resume" is unknown/.test(error.message) ? new Error("unsupported: this build has no `resume`") : error;
  });
}

async function turnsFor(lua, ms) {
  // In Node also the process' time on the processor, all threads: less is in it of what else the machine
  // does.
  const used = globalThis.process?.cpuUsage();
  const start = performance.now();
  let [turns, longest, last] = [0, 0, start];
  while (last - start < ms) {
    lua.eval("turn()");
    await macrotask();
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    turns++;
  }
  const figures = { turn: (last - start) / turns, longest };
  if (!used) return figures;
  const { user, system } = process.cpuUsage(used);
  return { ...figures, cpu: (user + system) / 1000 / turns };
}

/** Resolves in another turn of the event loop: timers and the storage run before. */
function macrotask() {
  if (globalThis.setImmediate) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
}

const channel = globalThis.setImmediate ? null : new MessageChannel();
