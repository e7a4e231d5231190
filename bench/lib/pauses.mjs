// Pauses of the page (or the process): a timer that is set again and again, and the browser's own list of
// long tasks.
//
// The two say different things. A gap between timers counts whatever keeps the next one waiting: one long
// task, many short ones in a row, another process on the same core. A long task is one, and the browser lists
// those from 50 ms. Timers come every 4 ms at best (1 ms in Node); a loop of messages would be finer, but
// takes the time that it measures.

const LONG_TASKS = globalThis.PerformanceObserver?.supportedEntryTypes.includes("longtask") ?? false;
const LONG_TASK_MS = 50;
/** Time until the browser lists the last long tasks, in milliseconds. */
const LIST_DELAY_MS = 100;

/** Begins to watch; the task under way counts from now. `end()` resolves to { gap, task } in milliseconds. */
export function watch() {
  const start = performance.now();
  let last = start;
  let gap = 0;
  let timer;
  const tick = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
    timer = setTimeout(tick);
  };
  timer = setTimeout(tick);

  const tasks = [];
  const observer = LONG_TASKS ? new PerformanceObserver((list) => tasks.push(...list.getEntries())) : null;
  observer?.observe({ type: "longtask" });

  return {
    async end() {
      const end = performance.now();
      clearTimeout(timer);
      gap = Math.max(gap, end - last);
      if (!observer) return { gap };
      await new Promise((resolve) => setTimeout(resolve, LIST_DELAY_MS));
      tasks.push(...observer.takeRecords());
      observer.disconnect();
      // Of the task in which the watch began, only what came after.
      const within = tasks
        .map((task) => Math.min(task.startTime + task.duration, end) - Math.max(task.startTime, start))
        .filter((ms) => ms >= LONG_TASK_MS);
      return { gap, task: Math.max(0, ...within) };
    },
  };
}
