/**
 * Turns of the event loop for what goes on in microtasks: as long as there is one more of them, no timer,
 * click or message gets through. After some milliseconds the next one waits for a turn.
 */
import { clock } from "./clock.js";

/**
 * Milliseconds of work without a turn, and pieces of it: some platforms stop the clock while a program runs.
 */
const WORK_MS = 8;
const PIECES = 1000;

/** Time when the work of this turn began; undefined before it does. @type {number | undefined} */
let began;

/** Pieces of work that this turn has had. */
let done = 0;

/** Work that waits for a turn, in its order. @type {(() => void)[]} */
let waiting = [];

/**
 * Runs `work` now, or in a later turn when this one has been long enough. Only from a microtask or a task of
 * the event loop, with nothing else on the stack.
 * @param {() => void} work
 */
export function inTurn(work) {
  if (began === undefined) {
    began = clock.now();
    clock.nextTurn(turn);
  } else if (waiting.length > 0 || isLong(began)) {
    waiting.push(work);
    return;
  }
  done += 1;
  work();
}

/** Says whether something waits for a turn. */
export function isBehind() {
  return waiting.length > 0;
}

/** Runs what has been waiting for this turn. */
function turn() {
  began = undefined;
  done = 0;
  if (waiting.length === 0) return;
  began = clock.now();
  clock.nextTurn(turn);
  const due = waiting;
  waiting = [];
  let next = 0;
  try {
    // At least one, however slow the clock or the machine is.
    do {
      done += 1;
      /** @type {() => void} */ (due[next++])();
    } while (next < due.length && !isLong(began));
  } finally {
    // What came meanwhile comes after what has been waiting; also when one of them has thrown.
    waiting = [...due.slice(next), ...waiting];
  }
}

/** @param {number} began */
function isLong(began) {
  return done >= PIECES || clock.now() - began >= WORK_MS;
}
