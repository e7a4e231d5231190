// Results as Markdown tables.

import { geometricMean } from "./stats.mjs";

const TITLES = {
  perilune: "Perilune",
  base: "base",
  wasmoon: "wasmoon",
  fengari: "fengari",
  native: "native",
  indexeddb: "IndexedDB",
  idb_keyval: "idb-keyval",
  local_storage: "localStorage",
  json_file: "JSON file",
  quickjs: "quickjs-wasi",
};

/** Names with a ratio: fengari is too slow for one to say anything. */
const COMPARED = Object.keys(TITLES).filter((name) => !["perilune", "fengari"].includes(name));

/**
 * Returns one table: a row for each result, a column for each engine or store that is in one, and Perilune's
 * ratios to them. With `mean` also the mean of those ratios, where the rows are of one kind.
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

/**
 * Returns the table of Perilune beside the base in each of `groups`, a list of { title, results }: the
 * geometric mean of the ratios of medians, and that of the fastest samples, on which other processes weigh
 * least; and the rows where the ratio of medians is smallest and largest. Only times are in it, no sizes.
 */
export function comparison(groups) {
  const compared = (title, results) => {
    const ratios = results
      .filter(({ unit }) => unit !== "bytes")
      .map((result) => ({ title: result.title, value: ratio(result, "base"), fastest: ratio(result, "base", "min") }))
      .filter(({ value }) => value)
      .sort((a, b) => a.value - b.value);
    if (ratios.length === 0) return [];
    const mean = (key) => shown(geometricMean(ratios.map((row) => row[key])), 3);
    const named = ({ title, value }) => `${shown(value, 2)} (${title})`;
    return [[title, String(ratios.length), mean("value"), mean("fastest"), named(ratios[0]), named(ratios.at(-1))]];
  };
  const rows = groups.flatMap(({ title, results }) => compared(title, results));
  if (rows.length > 1)
    rows.push(
      ...compared(
        "all",
        groups.flatMap(({ results }) => results),
      ),
    );
  return markdown(["Perilune ÷ base", "rows", "geometric mean", "of the fastest samples", "smallest", "largest"], rows);
}

export function markdown(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const line = (row) =>
    `| ${row.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i ? "-".repeat(width + 1) + ":" : "-".repeat(width + 2))).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/** Returns `12.3 ±0.4`: the median and the median distance from it. */
export function cell(result) {
  if (!result) return "–";
  if (result.error) return isLeftOut(result.error) ? "–" : "failed";
  const text = `${shown(result.median)} ±${shown(result.mad, digits(result.median))}`;
  return result.note ? `${text} (${result.note})` : text;
}

/** True for "unsupported", or "unsupported: why": no failure. */
export function isLeftOut(error) {
  return error.startsWith("unsupported");
}

/** Divides Perilune's figure by that of `other`; undefined where one is missing, or is of less data. */
function ratio(result, other, figure = "median") {
  const [ours, theirs] = [result.engines.perilune, result.engines[other]];
  return ours?.[figure] && theirs?.[figure] && !theirs.note ? ours[figure] / theirs[figure] : undefined;
}

function shown(value, precision = digits(value)) {
  return value === undefined ? "–" : value.toFixed(precision);
}

function digits(value) {
  return value === 0 ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
}
