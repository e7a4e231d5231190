// JSON file, the simplest store in Node: everything as JSON, into one file, then fsync.

import { mapStore } from "./map.mjs";

export const durabilities = ["strict"];

export async function open(place) {
  // Not at the top: pages import this file, too.
  const files = await import("node:fs/promises");
  const text = await files.readFile(place, "utf8").catch((error) => {
    if (error.code === "ENOENT") return "[]";
    throw error;
  });
  return mapStore(new Map(JSON.parse(text)), {
    async write(_, map) {
      const file = await files.open(place, "w");
      try {
        await file.writeFile(JSON.stringify([...map]));
        await file.sync();
      } finally {
        await file.close();
      }
    },
  });
}
