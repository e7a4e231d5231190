// Rotated order of turns: what goes first in one round goes later in the next.

export function rotated(list, by) {
  const at = ((by % list.length) + list.length) % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
