/**
 * Clock and timers that limits go by: those that the platform had when this module was loaded. A test
 * runner's fake timers come later, and must not hold up the end of a call.
 */

const { performance, setTimeout, clearTimeout, setImmediate, MessageChannel } = /** @type {any} */ (globalThis);

export const clock = {
  /** Milliseconds from any start. @type {() => number} */
  now: performance.now.bind(performance),
  /** @type {(work: () => void, ms: number) => unknown} */
  later: (work, ms) => setTimeout(work, ms),
  /** @type {(timer: any) => void} */
  cancel: (timer) => clearTimeout(timer),
  /** Runs `work` as a task of the event loop, after those that are due. @type {(work: () => void) => void} */
  nextTurn:
    typeof setImmediate === "function"
      ? (work) => void setImmediate(work)
      : typeof MessageChannel === "function"
        ? overChannel()
        : (work) => void setTimeout(work, 0),
};

/**
 * Turns by messages, which no browser delays, as it does with timers that set timers.
 * @returns {(work: () => void) => void}
 */
function overChannel() {
  /** @type {(() => void)[]} */
  const due = [];
  /** @type {any} */
  let port;
  return (work) => {
    if (port === undefined) {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => due.shift()?.();
      port = channel.port2;
    }
    due.push(work);
    port.postMessage(0);
  };
}
