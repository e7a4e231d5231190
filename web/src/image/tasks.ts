/** Calls that waited when an image was made, going on in the VM that was woken up from it. */
import { LuaClosedError } from "../errors.js";
import { Group } from "../groups.js";
import { sleep } from "../services.js";
import { Task, hooksOf, type TaskOwner, type Wait } from "../tasks.js";
import type { LuaValue, Realm } from "../values.js";
import { imageError } from "./errors.js";
import type { Plan, TaskPhoto } from "./meta.js";

/** A call of `evalAsync` or `callAsync` that waited when the image was made, and goes on. */
export class LuaTask {
  /** What it waits for: `'fetch'`, `async.sleep` ... */
  readonly waitsFor: string;
  readonly #result: Promise<LuaValue>;
  #asked = false;

  /** @internal */
  constructor(waitsFor: string, results: Promise<LuaValue[]>) {
    this.waitsFor = waitsFor;
    this.#result = results.then(([first]) => first);
    this.#result.catch((error: unknown) => {
      // Somebody must hear of it, unless it was closed.
      if (!this.#asked && !(error instanceof LuaClosedError))
        console.error("perilune: a call that was woken up has failed:", error);
    });
  }

  /** Its first result; rejects as that of the call would have. */
  get result(): Promise<LuaValue> {
    this.#asked = true;
    return this.#result;
  }
}

/** Functions of Lua that stand in plans, by their handles. */
export function handlesIn(tasks: readonly TaskPhoto[]): number[] {
  return tasks.flatMap(({ plan }) => (plan !== undefined && "start" in plan ? plan.start : []));
}

/** Lets all of them wait again; those that nobody inside of the VM waits for. */
export function wakeTasks(vm: Realm & TaskOwner, photos: readonly TaskPhoto[]): LuaTask[] {
  const left = new Map(photos.map((photo) => [photo.task, photo]));
  const inner = new Set(
    photos.flatMap(({ plan }) => (plan !== undefined && "run" in plan ? plan.run.map(([, task]) => task) : [])),
  );
  const wake = (number: number, caller?: Task): Task => {
    const photo = left.get(number);
    // Each belongs to one.
    if (photo === undefined) throw imageError("corrupt", "the image is damaged: a task is missing");
    left.delete(number);
    const task = new Task(vm, caller?.budget);
    const promise = goOn(vm, task, photo, wake);
    return task.wake(number, { promise, name: photo.name, ...hooksOf(promise) } satisfies Wait);
  };
  const tops = photos
    .filter(({ task }) => !inner.has(task))
    .map((photo) => {
      const { results } = wake(photo.task);
      return new LuaTask(photo.name, results);
    });
  if (left.size > 0) throw imageError("corrupt", "the image is damaged: a task waits for itself");
  return tops;
}

function goOn(
  vm: Realm & TaskOwner,
  task: Task,
  { name, plan }: TaskPhoto,
  wake: (number: number, caller: Task) => Task,
): Promise<unknown> {
  if (plan === undefined) return lost(name);
  if ("sleep" in plan) return sleep(plan.sleep);
  if ("start" in plan) return new Group(vm, task).start(plan.start.map((handle) => vm.function(handle))).promise;
  return new Group(vm, task).wake(plan, membersOf(plan, task, wake)).promise;
}

function* membersOf(
  { run }: Extract<Plan, { run: unknown }>,
  caller: Task,
  wake: (number: number, caller: Task) => Task,
): Generator<readonly [number, Task]> {
  for (const [place, task] of run) yield [place, wake(task, caller)];
}

/** Rejects in a job of its own: by then the host has had time to register its functions. */
function lost(name: string): Promise<never> {
  return new Promise((_, reject) => {
    const why = "the promise that it had returned stayed behind when the image was made";
    setTimeout(() => reject(new Error(`${name} has not ended: ${why}`)));
  });
}
