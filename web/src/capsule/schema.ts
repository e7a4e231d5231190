/**
 * Declared schemas on their way to the module, which knows no functions: these stay here.
 *
 * Not here: what a schema means, and whether it fits the database (Rust decides).
 */
import { isDate, isPlain, isPromise } from "../brands.js";
import { isCallable } from "../option_rules.js";
import { CapsuleError, usageError } from "./errors.js";
import { bytesOf, described } from "./sql_codec.js";
import type { MigrationDef, RowInput, SchemaDefinition, SqlInput } from "./types.js";

/** Function that makes the value of a column. */
type DefaultFunction = () => SqlInput;

/** Functions of columns, by the lower-case name of the table. */
export class Defaults {
  readonly #tables = new Map<string, Map<string, DefaultFunction>>();

  add(table: string, column: string, make: DefaultFunction): void {
    const name = table.toLowerCase();
    const columns = this.#tables.get(name) ?? new Map<string, DefaultFunction>();
    this.#tables.set(name, columns.set(column, make));
  }

  /** Takes over the functions of a schema that was applied. */
  addAll(others: Defaults): void {
    for (const [table, columns] of others.#tables) this.#tables.set(table, columns);
  }

  /** Returns a row for an INSERT, with the columns that it does not have. */
  complete(table: unknown, row: RowInput): RowInput {
    const columns = typeof table === "string" ? this.#tables.get(table.toLowerCase()) : undefined;
    if (columns === undefined || typeof row !== "object" || row === null) return row;
    const given = new Set(
      Object.keys(row)
        .filter((name) => row[name] !== undefined)
        .map((name) => name.toLowerCase()),
    );
    const missing = [...columns].filter(([column]) => !given.has(column.toLowerCase()));
    if (missing.length === 0) return row;
    return { ...row, ...Object.fromEntries(missing.map(([column, make]) => [column, make()])) };
  }

  /** Returns rows for an INSERT of several. What is no list stays what it is: the call refuses it. */
  completeAll(table: unknown, rows: readonly RowInput[]): readonly RowInput[] {
    return Array.isArray(rows) ? rows.map((row: RowInput) => this.complete(table, row)) : rows;
  }
}

/** A schema in its parts. */
export interface PreparedSchema {
  /** Declaration as the module takes it. */
  readonly declared: object;
  readonly defaults: Defaults;
  /** Work of each migration, by its version. */
  readonly migrations: ReadonlyMap<number, MigrationDef["up"]>;
}

const SCHEMA = ["tables", "indexes", "triggers", "migrations"];
const TABLE = ["name", "columns", "capsule"];
const COLUMN = ["name", "type", "primary", "unique", "notNull", "default", "references", "check"];
const EVENTS = ["watch", "batchSize", "retentionDays"];
const INDEX = ["name", "table", "columns", "unique", "where"];
const MIGRATION = ["version", "up"];

/** Prepares a schema, each part of which is read once. Throws an error of kind "schema" that has the path. */
export function prepareSchema(schema: SchemaDefinition): PreparedSchema {
  const defaults = new Defaults();
  const migrations = new Map<number, MigrationDef["up"]>();
  const root = part("schema", schema, SCHEMA);
  const declared = {
    tables: list("schema.tables", root["tables"] ?? [], (path, item) => {
      const table = part(path, item, TABLE);
      const columns = list(`${path}.columns`, table["columns"] ?? [], (columnPath, column) =>
        declareColumn(columnPath, part(columnPath, column, COLUMN), (name, make) =>
          defaults.add(String(table["name"]), name, make),
        ),
      );
      const { capsule } = table;
      return { ...table, columns, ...(capsule !== undefined && { capsule: part(`${path}.capsule`, capsule, EVENTS) }) };
    }),
    indexes: list("schema.indexes", root["indexes"] ?? [], (path, item) => part(path, item, INDEX)),
    triggers: list("schema.triggers", root["triggers"] ?? [], (path, item) => {
      if (typeof item !== "string") throw wrong(path, "the statement of a trigger", item);
      return item;
    }),
    migrations: list("schema.migrations", root["migrations"] ?? [], (path, item) => {
      const { version, up } = part(path, item, MIGRATION);
      if (!Number.isSafeInteger(version)) throw wrong(`${path}.version`, "a whole number", version);
      if (typeof up !== "string" && !isCallable(up)) throw wrong(`${path}.up`, "SQL or a function", up);
      if (migrations.has(version as number))
        throw new CapsuleError("schema", `${path}.version: there are two migrations to ${version}`);
      migrations.set(version as number, up as MigrationDef["up"]);
      return typeof up === "string" ? { version, sql: up } : { version };
    }),
  };
  return { declared, defaults, migrations };
}

function declareColumn(
  path: string,
  column: { [name: string]: unknown },
  add: (name: string, make: DefaultFunction) => void,
): object {
  const { default: given, ...rest } = column;
  if (given === undefined || given === null) return rest;
  if (isCallable(given)) {
    add(String(column["name"]), given as DefaultFunction);
    return rest;
  }
  return { ...rest, default: declareDefault(`${path}.default`, given) };
}

function declareDefault(path: string, given: unknown): unknown {
  if (typeof given !== "object" || given === null) return given;
  const bytes = bytesOf(given);
  // A blob is a list of one string of bytes.
  if (bytes !== undefined) return [bytes];
  if (isDate(given) || isPromise(given) || !(Array.isArray(given) || isPlain(given)))
    throw wrong(path, "a value, { sql } or a function", given);
  if (!Array.isArray(given) && Object.hasOwn(given, "sql")) return part(path, given, ["sql"]);
  return JSON.stringify(given);
}

/** Reads an object, all of whose properties have to be known. Those that are undefined are left out. */
function part(path: string, value: unknown, known: readonly string[]): { [name: string]: unknown } {
  if (typeof value !== "object" || value === null || !isPlain(value)) throw wrong(path, "an object", value);
  const read: { [name: string]: unknown } = {};
  for (const [name, item] of Object.entries(value)) {
    if (!known.includes(name))
      throw new CapsuleError("schema", `${path} has an unknown part "${name}"; it has ${known.join(", ")}`);
    if (item !== undefined) read[name] = item;
  }
  return read;
}

function list<T>(path: string, value: unknown, read: (path: string, item: unknown) => T): T[] {
  if (!Array.isArray(value)) throw wrong(path, "a list", value);
  return value.map((item, index) => read(`${path}[${index}]`, item));
}

function wrong(path: string, wanted: string, value: unknown): CapsuleError {
  return new CapsuleError("schema", `${path} must be ${wanted}, not ${described(value)}`);
}

/** Returns the migration to a version. */
export function migrationTo(schema: PreparedSchema, version: number): MigrationDef["up"] {
  const up = schema.migrations.get(version);
  if (up === undefined) throw usageError(`there is no migration to version ${version}`);
  return up;
}
