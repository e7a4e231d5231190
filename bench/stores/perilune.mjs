// Perilune: an external table, written and read by Lua; in IndexedDB, in Node in a file.

import { BUILDS } from "../engines/index.mjs";

/** Functions of stores/data.mjs, in Lua. */
const PROGRAM = `
  local t = ext.table("bench")
  function fill(count)
    for i = 1, count // 2 do
      t[i] = i * 1.5
      t["key" .. i] = "value " .. i
    end
  end
  function change(i, round)
    t[i] = i * 1.5 + round
  end
  function digest()
    local count, keys, values, key_bytes, value_bytes = 0, 0, 0, 0, 0
    for key, value in pairs(t) do
      count = count + 1
      if type(key) == "string" then key_bytes = key_bytes + #key else keys = keys + key end
      if type(value) == "string" then value_bytes = value_bytes + #value else values = values + value end
    end
    return ("%d %d %.1f %d %d"):format(count, keys, values, key_bytes, value_bytes)
  end`;

export const storageAt = (place) => (globalThis.indexedDB ? `idb://${place}` : `file:${place}`);

/** Returns the store of a build of Perilune. */
export function externalTable(build) {
  return { durabilities: ["relaxed", "strict"], open: (place, durability) => open(build, place, durability) };
}

async function open(build, place, durability) {
  const lua = await BUILDS[build].create({ storage: storageAt(place), durability });
  lua.eval(PROGRAM);
  let changes = 0;
  return {
    fill(count) {
      lua.eval(`fill(${count})`);
      return count;
    },
    change: (i) => lua.eval(`change(${i}, ${++changes})`),
    flush: () => lua.flush(),
    digest: () => lua.eval("return digest()"),
    close: () => lua.close(),
  };
}
