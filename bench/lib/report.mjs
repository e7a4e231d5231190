// Results as Markdown tables, ready to be pasted.

import { geometricMean } from "./stats.mjs";

const TITLES = { perilune: "Perilune", wasmoon: "wasmoon", fengari: "fengari", native: "native" };

/**
 * One table: a row for each result, a column for each engine, and what Perilune is to wasmoon and to native Lua.
 * With `mean` also the mean of those ratios, where the rows are of one kind.
 */
export function table(title, results, engines, mean = false) {
  const ratios = ["wasmoon", "native"].filter((other) => engines.includes("perilune") && engines.includes(other));
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
function cell(result) {
  if (!result) return "–";
  if (result.error) return result.error === "unsupported" ? "–" : "failed";
  return `${shown(result.median)} ±${shown(result.mad, digits(result.median))}`;
}

function ratio(result, other) {
  const [ours, theirs] = [result.engines.perilune?.median, result.engines[other]?.median];
  return ours && theirs ? ours / theirs : undefined;
}

function shown(value, precision = digits(value)) {
  return value === undefined ? "–" : value.toFixed(precision);
}

function digits(value) {
  return value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
}
