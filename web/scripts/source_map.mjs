/** Mappings of a source map (https://tc39.es/ecma426/) after text was inserted into the generated file. */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * Moves everything in generated line `line` from `column` on to the right by `by`, in UTF-16 code units;
 * lines and columns count from 0. A column is the difference to the segment before, so that one segment
 * changes for all after it.
 */
export function shifted(mappings, line, column, by) {
  const lines = mappings.split(";");
  const segments = lines[line].split(",");
  let at = 0;
  for (const [index, segment] of segments.entries()) {
    const { value, length } = decoded(segment);
    at += value;
    if (at < column) continue;
    segments[index] = encoded(value + by) + segment.slice(length);
    break;
  }
  lines[line] = segments.join(",");
  return lines.join(";");
}

/** The first number of a segment, a base64 VLQ, and how many characters it takes. */
function decoded(segment) {
  let bits = 0;
  for (let length = 0; ;) {
    const digit = DIGITS.indexOf(segment[length] ?? "");
    if (digit < 0) throw new Error(`"${segment}" is no segment of a source map`);
    bits += (digit & 31) * 32 ** length++;
    if (digit < 32) return { value: bits % 2 === 1 ? -Math.floor(bits / 2) : bits / 2, length };
  }
}

function encoded(value) {
  let text = "";
  let bits = value < 0 ? -value * 2 + 1 : value * 2;
  do {
    const rest = Math.floor(bits / 32);
    text += DIGITS[(bits % 32) + (rest > 0 ? 32 : 0)];
    bits = rest;
  } while (bits > 0);
  return text;
}
