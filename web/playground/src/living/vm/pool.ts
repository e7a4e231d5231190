/**
 * One program: running in a VM, or paused as the bytes of an image.
 *
 * Invariant: while it is paused there is no VM. `Lua.restore` is all that it takes to play on.
 */
import { Lua, LuaClosedError, LuaError, type LuaImage } from "perilune";
import source from "../../../programs/tide-pool.lua";
import type { OutputPart } from "../../protocol.ts";
import { toFailure } from "../../vm/failure.ts";
import { showDeep } from "../../vm/shown.ts";
import type { Running, Evaluated, Frame, LivingNotice, Moment } from "../protocol.ts";
import { openLiving, restoreLiving } from "./open.ts";

/** Time between two captured moments, in milliseconds. */
const MOMENT_MS = 1000;
/** Longest time that code may run without a pause, in milliseconds: the picture stands still so long. */
const TIMEOUT_MS = 2000;
/** Longest time to wait for a picture, in milliseconds: a program may draw none. */
const PATIENCE_MS = 600;
/** Most numbers of a picture. */
const NUMBERS_MAX = 200_000;

type State =
  | { name: "none" }
  | { name: "running"; lua: Lua; timer: ReturnType<typeof setInterval> }
  | { name: "paused"; image: Uint8Array<ArrayBuffer> };

export class Pool {
  readonly #post: (notice: LivingNotice, transfer?: Transferable[]) => void;
  #state: State = { name: "none" };
  #kept = true;
  #frame: Frame = { tick: 0, numbers: new Float32Array() };
  #due = 0;
  #onFrame: (() => void) | undefined;

  constructor(post: (notice: LivingNotice, transfer?: Transferable[]) => void) {
    this.#post = post;
  }

  async open(kept: boolean, paused: boolean): Promise<Running> {
    this.#kept = kept;
    const lua = await openLiving(kept, this.#options());
    const fresh = lua.restored === undefined;
    const running = this.#live(lua);
    if (fresh) this.#follow(lua.evalAsync(source, { name: "tide-pool" }));
    await this.#picture();
    if (paused) await this.pause();
    else this.#moment(lua);
    return { ...running, fresh };
  }

  /**
   * Restores the program from an image. Bytes that are none are refused with a `LuaImageError`; everything is
   * as before then.
   */
  async travel(bytes: Uint8Array<ArrayBuffer>, look: boolean): Promise<Running> {
    // Before the VM that is there is given up.
    const image = await Lua.image(bytes);
    const paused = this.#state.name === "paused";
    const before = this.capture().image;
    if (this.#state.name === "running") await this.#close(this.#state.lua, before, true);
    const running = await this.#restore(image).catch(async (error: unknown) => {
      if (!paused) await this.play();
      throw error;
    });
    if (look) await this.#picture();
    // A picture was drawn: that is a moment of its own.
    if (look && this.#state.name === "running") this.#moment(this.#state.lua);
    if (!paused) return running;
    if (this.#state.name === "running") await this.#close(this.#state.lua, bytes);
    return running;
  }

  /** Starts the program anew: from the image of a pool that has just begun, made in a VM of its own. */
  async anew(): Promise<Running> {
    const lua = await Lua.create(this.#options());
    this.#follow(lua.evalAsync(source, { name: "tide-pool" }));
    const image = lua.snapshot();
    await lua.close();
    return this.travel(image, true);
  }

  async pause(): Promise<void> {
    if (this.#state.name !== "running") return;
    const { lua } = this.#state;
    const { image } = this.#moment(lua);
    await this.#close(lua, image);
  }

  async play(): Promise<Lua> {
    if (this.#state.name === "running") return this.#state.lua;
    if (this.#state.name === "none") throw new Error("no program is open");
    await this.#restore(await Lua.image(this.#state.image));
    return this.play();
  }

  capture(): Moment {
    if (this.#state.name === "paused") return { ...this.#frame, image: this.#state.image.slice(), ms: 0 };
    if (this.#state.name === "none") throw new Error("no program is open");
    return this.#capture(this.#state.lua);
  }

  /** Runs code in the VM; a paused one runs for one picture. */
  async eval(code: string): Promise<{ evaluated: Promise<Evaluated> }> {
    const paused = this.#state.name === "paused";
    const evaluated = this.#eval(await this.play(), code);
    if (paused) {
      await this.#picture();
      await this.pause();
    }
    return { evaluated };
  }

  async feed(at: { x: number; y: number } | null): Promise<void> {
    await this.eval(at === null ? "feed()" : `feed(${Math.round(at.x)}, ${Math.round(at.y)})`);
  }

  async flush(): Promise<void> {
    if (this.#state.name === "running") await this.#state.lua.flush();
  }

  #options() {
    const write = (stream: OutputPart["stream"]) => (text: string) =>
      this.#post({ event: "output", parts: [{ stream, text }] });
    return {
      functions: { "screen.draw": (tick: unknown, numbers: unknown) => this.#draw(tick, numbers) },
      timeout: TIMEOUT_MS,
      stdout: write("stdout"),
      stderr: write("stderr"),
    };
  }

  async #restore(image: LuaImage): Promise<Running> {
    return this.#live(await restoreLiving(image, this.#kept, this.#options()));
  }

  #live(lua: Lua): Running {
    const { tasks = [], missing = [] } = lua.restored ?? {};
    for (const task of tasks) this.#follow(task.result);
    this.#due = performance.now() + MOMENT_MS;
    const timer = setInterval(() => {
      if (performance.now() >= this.#due) this.#moment(lua);
    }, MOMENT_MS / 20);
    this.#state = { name: "running", lua, timer };
    return { fresh: false, tasks: tasks.length, missing: [...missing] };
  }

  /** Closes the VM: the program is its image. */
  async #close(lua: Lua, image: Uint8Array<ArrayBuffer>, discard = false): Promise<void> {
    if (this.#state.name === "running") clearInterval(this.#state.timer);
    this.#state = { name: "paused", image };
    await lua.close({ discard });
  }

  /** Posts the error of a call, if it ends with one. */
  #follow(call: Promise<unknown>): void {
    call.catch((error: unknown) => {
      if (error instanceof LuaClosedError) return;
      this.#post({ event: "ended", failure: toFailure(error, () => undefined) });
    });
  }

  /** Host function `screen.draw(tick, numbers)`. */
  #draw(tick: unknown, numbers: unknown): void {
    if (typeof tick !== "number" || !Array.isArray(numbers)) throw new TypeError("screen.draw takes a tick and a list");
    if (numbers.length > NUMBERS_MAX) throw new RangeError(`a picture has at most ${NUMBERS_MAX} numbers`);
    this.#frame = { tick, numbers: Float32Array.from(numbers as number[]) };
    this.#post({ event: "frame", ...this.#frame });
    this.#onFrame?.();
  }

  /** Resolves when the next picture is there, and everything that drew it waits again. */
  #picture(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS);
      this.#onFrame = () => {
        this.#onFrame = undefined;
        clearTimeout(timer);
        setTimeout(resolve);
      };
    });
  }

  #capture(lua: Lua): Moment {
    const start = performance.now();
    const image = lua.snapshot();
    return { ...this.#frame, image, ms: performance.now() - start };
  }

  #moment(lua: Lua): Moment {
    this.#due = performance.now() + MOMENT_MS;
    const moment = this.#capture(lua);
    this.#post({ event: "moment", moment });
    return moment;
  }

  /** Evaluates an expression, or else statements. */
  async #eval(lua: Lua, code: string): Promise<Evaluated> {
    const name = "console";
    const none = { value: undefined, failure: undefined, waits: false };
    try {
      const value = await lua.evalAsync(`return ${code}`, { name }).catch((error: unknown) => {
        if (error instanceof LuaError && error.kind === "syntax") return lua.evalAsync(code, { name });
        throw error;
      });
      return { ...none, value: value === undefined ? undefined : showDeep(value) };
    } catch (error) {
      if (error instanceof LuaClosedError) return { ...none, waits: true };
      return { ...none, failure: toFailure(error, () => undefined) };
    }
  }
}
