/** Numbers, sizes and times as text. */

const whole = new Intl.NumberFormat("en");

/** 10000 -> "10,000". */
export function count(number: number): string {
  return whole.format(number);
}

/** "1 table", "10,000 tables". */
export function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${count(number)} ${number === 1 ? noun : plural}`;
}

/** Bytes in the unit that suits them. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1024 * 1000) return `${short(bytes / 1024)} KiB`;
  return `${short(bytes / (1024 * 1024))} MiB`;
}

/** Milliseconds. */
export function time(ms: number): string {
  if (ms < 1000) return `${short(ms)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

/** Two or three digits that matter, no trailing zeros. */
function short(number: number): string {
  return String(Number(number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)));
}
