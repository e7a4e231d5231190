// Data of every store: half of the keys integers with floats, half of them strings with short strings.

/** Returns entry number `at`, from 1. In Lua: stores/perilune.mjs. */
function entry(at) {
  const i = Math.ceil(at / 2);
  return at % 2 ? [i, i * 1.5] : [`key${i}`, `value ${i}`];
}

export function* entries(count) {
  for (let at = 1; at <= count; at++) yield entry(at);
}

/** Returns the changed value of an integer key: `round` says how often it was changed. */
export const changed = (i, round) => i * 1.5 + round;

/** Digest of every key and every value: their count, the sums of the numbers, the lengths of the strings. */
export function digest(pairs) {
  let [count, keys, values, keyBytes, valueBytes] = [0, 0, 0, 0, 0];
  for (const [key, value] of pairs) {
    count++;
    if (typeof key === "string") keyBytes += key.length;
    else keys += key;
    if (typeof value === "string") valueBytes += value.length;
    else values += value;
  }
  return `${count} ${keys} ${values.toFixed(1)} ${keyBytes} ${valueBytes}`;
}
