/** Restores calls that waited when an image was made. */
import type { ValueContext } from "../codec/values.js";
import { imageError } from "../snapshot/errors.js";
import type { TaskPart } from "../snapshot/parts.js";
import { LuaTask } from "../snapshot/tasks.js";
import { Budget } from "../instance/limits.js";
import { Group } from "./groups.js";
import { sleep } from "./sleep.js";
import { Task, hooksOf, limitWaits, type TaskOwner, type Wait } from "./tasks.js";

/** Makes all calls of an image wait again, and returns those that nothing inside of the VM waits for. */
export function restoreTasks(vm: ValueContext & TaskOwner, parts: readonly TaskPart[]): LuaTask[] {
  const { tops, topOf, callers } = topsOf(parts);
  // A call has one budget, with all that it runs side by side.
  const budgets = new Map(tops.map((top) => [top, Budget.restore(top.budget, vm.usual)]));
  // All of them first: nothing begins to wait before it is known that it can.
  const tasks = new Map<number, Task>();
  // Each after the one that runs it.
  for (const [part, top] of topOf) {
    const caller = tasks.get(callers.get(part.task) ?? NaN);
    const as = caller === undefined ? vm.conversion : {};
    tasks.set(part.task, new Task(vm, budgets.get(top) as Budget, as, caller));
  }
  for (const part of parts) {
    const task = tasks.get(part.task) as Task;
    const promise = resumeWait(vm, task, part, tasks);
    task.restore(part.task, { promise, name: part.name, ...hooksOf(promise) } satisfies Wait);
  }
  // The ends of those whom others wait for first: they have begun.
  for (const begun of [true, false]) {
    for (const { task, ending } of parts) if (ending?.begun === begun) tasks.get(task)?.restoreEnd(ending);
  }
  return tops.map(({ task: number, name }) => {
    const task = tasks.get(number) as Task;
    const stop = limitWaits(task);
    task.results.then(stop, stop);
    return new LuaTask(name, task.results);
  });
}

/**
 * Returns the tasks that no other waits for; for each task the one of these that it belongs to, and after it
 * what it runs; and the task that runs it, by their numbers.
 */
function topsOf(parts: readonly TaskPart[]): {
  tops: TaskPart[];
  topOf: Map<TaskPart, TaskPart>;
  callers: Map<number, number>;
} {
  const byNumber = new Map(parts.map((part) => [part.task, part]));
  const inner = new Set(parts.flatMap(membersOf));
  const tops = parts.filter(({ task }) => !inner.has(task));
  const reached = [...tops];
  const topOf = new Map(tops.map((top) => [top, top]));
  const callers = new Map<number, number>();
  for (let i = 0; i < reached.length && reached.length <= parts.length; i++) {
    const part = reached[i] as TaskPart;
    for (const number of membersOf(part)) {
      const member = byNumber.get(number);
      if (member === undefined) throw imageError("corrupt", "the image is damaged: a task is missing");
      reached.push(member);
      callers.set(number, part.task);
      topOf.set(member, topOf.get(part) as TaskPart);
    }
  }
  // One that two wait for is reached twice, and those that wait for themselves are not.
  if (byNumber.size !== parts.length || reached.length !== parts.length || new Set(reached).size !== parts.length)
    throw imageError("corrupt", "the image is damaged: a task does not belong to one");
  return { tops, topOf, callers };
}

function membersOf({ pending }: TaskPart): number[] {
  return pending !== undefined && "run" in pending ? pending.run.map(([, task]) => task) : [];
}

function resumeWait(
  vm: ValueContext & TaskOwner,
  task: Task,
  { name, pending }: TaskPart,
  tasks: ReadonlyMap<number, Task>,
): Promise<unknown> {
  if (pending === undefined) return lost(name);
  if ("sleep" in pending) return sleep(pending.sleep);
  const members = pending.run.map(([place, member]) => [place, tasks.get(member) as Task] as const);
  const functions = pending.start.map(([place, handle]) => [place, vm.function(handle)] as const);
  return new Group(vm, task).restore(pending, members, functions, afterJob).promise;
}

/** Runs `work` in a job of its own: by then the host has had time to register its functions. */
function afterJob(work: () => void): void {
  setTimeout(work);
}

function lost(name: string): Promise<never> {
  return new Promise((_, reject) => {
    const why = "the promise that it had returned stayed behind when the image was made";
    afterJob(() => reject(new Error(`${name} has not ended: ${why}`)));
  });
}
