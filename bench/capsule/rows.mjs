// Results of measures as rows of a table: one for each side but the peer.

import { summary } from "../lib/stats.mjs";

export const HEAD = ["measure", "side", "unit", "figure", "peer", "ratio", "goal", "beside"];

/** Returns the rows of one measure. */
export function rows({ measure, samples, error }) {
  if (error) return [[measure.title, "", "", "failed", "", "", "", ""]];
  const { unit, goal, expected, peer = "", difference } = measure;
  const shownGoal = goal !== undefined ? String(goal) : expected !== undefined ? `${expected} ${unit}` : "";
  const found = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, summary(values)]));
  const row = (title, name, ours, theirs) => [
    title,
    name,
    unit,
    cell(ours),
    theirs ? cell(theirs) : "",
    theirs ? ratio(ours.median, theirs.median) : "",
    shownGoal,
    peer,
  ];
  const names = Object.keys(found).filter((name) => name !== "peer");
  const lines = names.map((name) => row(measure.title, name, found[name], found.peer));
  if (difference) {
    const less = ([more, fewer]) => (found[more].median - found[fewer].median) * difference.scale;
    const [ours, theirs] = [less(difference.ours), less(difference.peer)];
    const figures = [shown(ours), shown(theirs), ratio(ours, theirs)];
    lines.push([difference.title, "with the rule, less without", difference.unit, ...figures, shownGoal, peer]);
  }
  return lines;
}

const ratio = (ours, theirs) => (ours / theirs).toFixed(ours / theirs < 0.1 ? 3 : 2);
const shown = (value) => value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3);
const cell = ({ median, mad }) => `${shown(median)} ±${shown(mad)}`;
