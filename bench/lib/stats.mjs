// Statistics of a few samples: the median, and their distance from it.

export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = middle(sorted);
  const mad = middle(sorted.map((value) => Math.abs(value - median)).sort((a, b) => a - b));
  return { median, mad, min: sorted[0], max: sorted.at(-1), count: sorted.length };
}

export function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function middle(sorted) {
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
