/** The database of the view: its tables, its first rows, and how it is opened. Nothing else makes one. */
import { GlyphCase, type GlyphCaseOptions, type SchemaDefinition } from "perilune/capsule";
import rules from "../../programs/rules.lua";

/** Mod that has the rules, and its only file. */
export const MOD = "tasks";
export const FILE = "rules.lua";

/** The rules as they come with the page. */
export const ORIGINAL = rules;

/** Version of the original rules. */
const ORIGINAL_VERSION = "original";

const SCHEMA: SchemaDefinition = {
  tables: [
    {
      name: "users",
      columns: [
        { name: "id", type: "INTEGER", primary: true },
        { name: "name", type: "TEXT", notNull: true },
        { name: "latest", type: "TEXT" },
      ],
    },
    {
      name: "tasks",
      columns: [
        { name: "id", type: "INTEGER", primary: true },
        { name: "title", type: "TEXT", notNull: true },
        { name: "slug", type: "TEXT" },
        { name: "user_id", type: "INTEGER", notNull: true, references: "users(id)" },
        { name: "done", type: "INTEGER", notNull: true, default: 0 },
      ],
    },
  ],
  indexes: [{ name: "tasks_of_user", table: "tasks", columns: ["user_id", "done"] }],
};

const USERS = ["Ada", "Bo", "Cleo"].map((name, i) => ({ id: i + 1, name }));

const TASKS = [
  { title: "Map the far side", user_id: 1, done: 1 },
  { title: "Listen for   a signal", user_id: 2 },
  { title: "Water the plants", user_id: 3 },
  { title: "Charge the rover", user_id: 1 },
  { title: "Write to Earth", user_id: 3, done: 1 },
];

/** Opens the database; in memory where this browser has no files for it, or if that is wanted. */
export function openTasks(memory: boolean, options: Pick<GlyphCaseOptions, "stdout">): GlyphCase {
  return new GlyphCase(memory ? ":memory:" : "tasks.db", { fallback: "memory", schema: SCHEMA, ...options });
}

/** Gives a database that is new its rules and its first rows; each once, whichever tab comes first. */
export async function furnish(db: GlyphCase): Promise<void> {
  const mods = await db.mods();
  if (!mods.some(({ name }) => name === MOD)) await activate(db, ORIGINAL);
  await db.transaction(async (tx) => {
    if ((await tx.queryScalar("SELECT count(*) FROM users")) !== 0) return;
    await tx.insertMultiple("users", USERS);
    await tx.insertMultiple("tasks", TASKS);
  });
}

/** Makes `source` the rules. What is wrong with it is thrown, and the rules before go on. */
export async function activate(db: GlyphCase, source: string): Promise<void> {
  // The same version again would change nothing.
  const version = source === ORIGINAL ? ORIGINAL_VERSION : new Date().toISOString();
  await db.installMod({ name: MOD, version, files: { [FILE]: source } });
}

/** Returns the bytes of a database as it is at the first visit. */
export async function pristine(): Promise<Uint8Array<ArrayBuffer>> {
  const db = openTasks(true, {});
  try {
    await furnish(db);
    return await db.export();
  } finally {
    await db.close();
  }
}
