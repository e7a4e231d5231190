// Results as Markdown tables, ready to be pasted.

import { geometricMean } from "./stats.mjs";

const TITLES = {
  perilune: "Perilune",
  wasmoon: "wasmoon",
  fengari: "fengari",
  native: "native",
  indexeddb: "IndexedDB",
  idb_keyval: "idb-keyval",
  local_storage: "localStorage",
  json_file: "JSON file",
  quickjs: "quickjs-wasi",
};

/** fengari is out of reach: a ratio to it says nothing. */
const COMPARED = Object.keys(TITLES).filter((name) => !["perilune", "fengari"].includes(name));

/**
 * One table: a row for each result, a column for each engine or store that is in one, and what Perilune is to the others.
 * With `mean` also the mean of those ratios, where the rows are of one kind.
 */
export function table(title, results, mean = false) {
  const engines = Object.keys(TITLES).filter((name) => results.some((result) => result.engines[name]));
  const ratios = COMPARED.filter((other) => engines.includes("perilune") && engines.includes(other));
  const head = [
    title,
    "unit",
    ...engines.map((engine) => TITLES[engine]),
    ...ratios.map((other) => `÷ ${TITLES[other]}`),
  ];
  const rows = results.map((result) => [
    result.title,
    result.unit,
    ...engines.map((engine) => cell(result.engines[engine])),
    ...ratios.map((other) => shown(ratio(result, other), 2)),
  ]);
  if (mean && results.length > 2 && ratios.length) {
    const means = ratios.map((other) => results.map((result) => ratio(result, other)).filter((value) => value));
    if (means.some((values) => values.length > 1)) {
      rows.push([
        "geometric mean",
        "",
        ...engines.map(() => ""),
        ...means.map((values) => (values.length ? shown(geometricMean(values), 2) : "")),
      ]);
    }
  }
  return markdown(head, rows);
}

export function markdown(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const line = (row) =>
    `| ${row.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i ? "-".repeat(width + 1) + ":" : "-".repeat(width + 2))).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/** `12.3 ±0.4`: the median and the median distance from it. */
export function cell(result) {
  if (!result) return "–";
  if (result.error) return isLeftOut(result.error) ? "–" : "failed";
  const text = `${shown(result.median)} ±${shown(result.mad, digits(result.median))}`;
  return result.note ? `${text} (${result.note})` : text;
}

/** "unsupported", or "unsupported: why": no failure. */
export function isLeftOut(error) {
  return error.startsWith("unsupported");
}

function ratio(result, other) {
  const [ours, theirs] = [result.engines.perilune, result.engines[other]];
  return ours?.median && theirs?.median && !theirs.note ? ours.median / theirs.median : undefined;
}

function shown(value, precision = digits(value)) {
  return value === undefined ? "–" : value.toFixed(precision);
}

function digits(value) {
  return value === 0 ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
}
