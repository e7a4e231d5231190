/**
 * One program and its life: awake in a VM, or asleep as the bytes of an image.
 *
 * Invariant: while it is asleep there is no VM. Waking it is `Lua.restore`, and nothing else is needed for it.
 */
import { Lua, LuaClosedError, LuaError, type LuaImage } from "perilune";
import source from "../../../programs/tide-pool.lua";
import type { OutputPart } from "../../protocol.ts";
import { toFailure } from "../../vm/failure.ts";
import { showDeep } from "../../vm/shown.ts";
import type { Awake, Evaluated, Frame, LivingNotice, Moment } from "../protocol.ts";
import { openLiving, wakeLiving } from "./open.ts";

/** How often a moment is taken. */
const MOMENT_MS = 1000;
/** The longest that code may run without a pause; the picture stands still so long. */
const TIMEOUT_MS = 2000;
/** A program that draws nothing for so long draws nothing. */
const PATIENCE_MS = 600;
/** No picture has more numbers. */
const NUMBERS_MAX = 200_000;

type State =
  | { name: "none" }
  | { name: "awake"; lua: Lua; timer: ReturnType<typeof setInterval> }
  | { name: "asleep"; image: Uint8Array<ArrayBuffer> };

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

  async open(kept: boolean, asleep: boolean): Promise<Awake> {
    this.#kept = kept;
    const lua = await openLiving(kept, this.#options());
    const fresh = lua.restored === undefined;
    const awake = this.#live(lua);
    if (fresh) this.#follow(lua.evalAsync(source, { name: "tide-pool" }));
    await this.#picture();
    if (asleep) await this.sleep();
    else this.#moment(lua);
    return { ...awake, fresh };
  }

  /** Refuses bytes that are no image, with a `LuaImageError`; then everything is as before. */
  async travel(bytes: Uint8Array<ArrayBuffer>, look: boolean): Promise<Awake> {
    // Before the VM that is there is given up.
    const image = await Lua.image(bytes);
    const asleep = this.#state.name === "asleep";
    const before = this.take().image;
    if (this.#state.name === "awake") await this.#close(this.#state.lua, before, true);
    const awake = await this.#restore(image).catch(async (error: unknown) => {
      if (!asleep) await this.wake();
      throw error;
    });
    if (look) await this.#picture();
    // A picture was drawn: that is a moment of its own.
    if (look && this.#state.name === "awake") this.#moment(this.#state.lua);
    if (!asleep) return awake;
    if (this.#state.name === "awake") await this.#close(this.#state.lua, bytes);
    return awake;
  }

  /** A pool that has just begun, made in a VM of its own, is an image like any other. */
  async anew(): Promise<Awake> {
    const lua = await Lua.create(this.#options());
    this.#follow(lua.evalAsync(source, { name: "tide-pool" }));
    const image = lua.snapshot();
    await lua.close();
    return this.travel(image, true);
  }

  async sleep(): Promise<void> {
    if (this.#state.name !== "awake") return;
    const { lua } = this.#state;
    const { image } = this.#moment(lua);
    await this.#close(lua, image);
  }

  async wake(): Promise<Lua> {
    if (this.#state.name === "awake") return this.#state.lua;
    if (this.#state.name === "none") throw new Error("no program is open");
    await this.#restore(await Lua.image(this.#state.image));
    return this.wake();
  }

  take(): Moment {
    if (this.#state.name === "asleep") return { ...this.#frame, image: this.#state.image.slice(), ms: 0 };
    if (this.#state.name === "none") throw new Error("no program is open");
    return this.#photograph(this.#state.lua);
  }

  /** Runs code in the VM; one that is asleep is awake for one picture. */
  async eval(code: string): Promise<{ evaluated: Promise<Evaluated> }> {
    const asleep = this.#state.name === "asleep";
    const evaluated = this.#eval(await this.wake(), code);
    if (asleep) {
      await this.#picture();
      await this.sleep();
    }
    return { evaluated };
  }

  async feed(at: { x: number; y: number } | null): Promise<void> {
    await this.eval(at === null ? "feed()" : `feed(${Math.round(at.x)}, ${Math.round(at.y)})`);
  }

  async flush(): Promise<void> {
    if (this.#state.name === "awake") await this.#state.lua.flush();
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

  async #restore(image: LuaImage): Promise<Awake> {
    return this.#live(await wakeLiving(image, this.#kept, this.#options()));
  }

  #live(lua: Lua): Awake {
    const { tasks = [], missing = [] } = lua.restored ?? {};
    for (const task of tasks) this.#follow(task.result);
    this.#due = performance.now() + MOMENT_MS;
    const timer = setInterval(() => {
      if (performance.now() >= this.#due) this.#moment(lua);
    }, MOMENT_MS / 20);
    this.#state = { name: "awake", lua, timer };
    return { fresh: false, tasks: tasks.length, missing: [...missing] };
  }

  /** From here on there is its image only. */
  async #close(lua: Lua, image: Uint8Array<ArrayBuffer>, discard = false): Promise<void> {
    if (this.#state.name === "awake") clearInterval(this.#state.timer);
    this.#state = { name: "asleep", image };
    await lua.close({ discard });
  }

  /** Tells how it ends, if that is an error. */
  #follow(call: Promise<unknown>): void {
    call.catch((error: unknown) => {
      if (error instanceof LuaClosedError) return;
      this.#post({ event: "ended", failure: toFailure(error, () => undefined) });
    });
  }

  /** `screen.draw(tick, numbers)`. */
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

  #photograph(lua: Lua): Moment {
    const start = performance.now();
    const image = lua.snapshot();
    return { ...this.#frame, image, ms: performance.now() - start };
  }

  #moment(lua: Lua): Moment {
    this.#due = performance.now() + MOMENT_MS;
    const moment = this.#photograph(lua);
    this.#post({ event: "moment", moment });
    return moment;
  }

  /** An expression, or else statements. */
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
