// A database in memory with one empty table: from nothing to the first answer.

import { Capsule } from "../../web/dist/capsule_node.js";
import { TABLE } from "./peers.mjs";
import { timed } from "./timed.mjs";

const COUNT = "SELECT count(*) AS count FROM tasks";

export const OPENING = [
  {
    id: "open/empty",
    title: "open in memory, make a table, ask for its rows",
    unit: "ms",
    goal: 0.05,
    peer: "PGlite",
    sides: {
      "Capsule.open": {
        open: async () => ({
          async sample() {
            let capsule, check;
            const ms = await timed(async () => {
              capsule = await Capsule.open(":memory:");
              capsule.execute(TABLE);
              check = capsule.queryScalar(COUNT);
            });
            await capsule.close();
            return { value: ms, check };
          },
        }),
      },
      peer: {
        async open() {
          const { PGlite } = await import("@electric-sql/pglite");
          return {
            async sample() {
              let pg, check;
              const ms = await timed(async () => {
                pg = await PGlite.create();
                await pg.exec(TABLE);
                const { rows } = await pg.query(COUNT);
                check = Number(rows[0].count);
              });
              await pg.close();
              return { value: ms, check };
            },
          };
        },
      },
    },
  },
];
