/**
 * Random calls side by side, each line of which says whose output it belongs to: what each call collects must
 * be its own lines, and the rest is for the VM's callbacks. Runs in pages, too: nothing here but the package
 * and the platform.
 */
import type { Lua, LuaError, LuaFunction } from "../src/index.ts";
import { Random } from "./random.ts";

type Perilune = typeof import("../src/index.ts");

/** Name of the output of calls that collect none. */
const USUAL = "usual";

/** A line that a program is about to write. */
interface Mark {
  /** Name of the output that it belongs to. */
  readonly output: string;
  /** Piece of code that writes it: its lines are in order. */
  readonly piece: string;
  readonly line: string;
}

/** Place that code is generated for. */
interface Place {
  readonly output: string;
  readonly depth: number;
  /** True if it can wait. */
  readonly waits: boolean;
  /** True if nothing else writes to this output meanwhile, and the code runs to its end. */
  readonly alone: boolean;
}

/** Ways in which all that still waits is ended. */
const ENDS = ["by themselves", "interrupt", "close"] as const;

/** One VM with calls side by side. */
class Round {
  readonly #perilune: Perilune;
  readonly #random: Random;
  readonly #end: (typeof ENDS)[number];
  readonly #marks: Mark[] = [];
  readonly #outputs = new Map<string, string>([[USUAL, ""]]);
  readonly #open = new Set<Promise<void>>();
  readonly #actions: (() => unknown)[] = [];
  readonly #modules: string[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #problems: string[] = [];
  #lua!: Lua;
  #names = 0;
  /** True if a call was given so little time that it may end anywhere. */
  #anywhere = false;

  constructor(perilune: Perilune, seed: number) {
    this.#perilune = perilune;
    this.#random = new Random(seed);
    this.#end = this.#random.pick(ENDS);
  }

  async run(): Promise<string[]> {
    const usual = (text: string) => this.#add(USUAL, text);
    this.#lua = await this.#perilune.Lua.create({
      stdout: usual,
      stderr: usual,
      stdin: async () => "a line\n",
      modules: (name) => {
        const code = this.#modules[Number(name.slice(1))];
        return this.#random.below(2) === 0 ? code : Promise.resolve(code);
      },
      functions: {
        mark: (output: string, piece: string, half?: boolean) => this.#mark(output, piece, half === true),
        act: (action: number) => this.#actions[action]?.(),
        call_now: (fn: LuaFunction) => fn(),
        call_later: (fn: LuaFunction) => this.#follow(USUAL, fn.callAsync(), fn),
        tick: async () => {},
        fail: async () => {
          throw new Error("no");
        },
        later: (ms: number) => new Promise<void>((resolve) => this.#after(ms, resolve)),
        settles: () => ({ then: (settle: () => void) => settle() }),
        never: () => new Promise(() => {}),
      },
    });
    this.#lua.eval("warn('@on')");
    for (let i = 2 + this.#random.below(5); i > 0; i--) {
      this.#begin();
      if (this.#random.below(3) === 0) await new Promise<void>((resolve) => this.#after(1, resolve));
    }
    if (this.#end === "interrupt") await this.#ended(() => this.#lua.interrupt());
    if (this.#end === "close") await this.#ended(() => this.#lua.close());
    while (this.#open.size > 0) await Promise.all(this.#open);
    await this.#lua.close();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const [output, text] of this.#outputs) this.#compare(output, text);
    const lost = this.#marks.find(({ output }) => !this.#outputs.has(output));
    if (lost !== undefined) this.#problems.push(`${lost.line} is in no output`);
    return this.#problems;
  }

  /** Number of lines of all programs. */
  get lines(): number {
    return this.#marks.length;
  }

  /** Ends all, at any time; once more for what the end of one has begun. */
  async #ended(end: () => unknown): Promise<void> {
    await new Promise<void>((resolve) => this.#after(this.#random.below(6), resolve));
    await end();
    while (this.#open.size > 0) {
      await Promise.race([...this.#open, new Promise<void>((resolve) => this.#after(20, resolve))]);
      await end();
    }
  }

  #after(ms: number, work: () => void): void {
    this.#timers.add(setTimeout(work, ms));
  }

  #mark(output: string, piece: string, half: boolean): string {
    const text = `${output}/${piece}/${this.#marks.length}`;
    this.#marks.push({ output, piece, line: half ? `${text}é` : text });
    return text;
  }

  #add(output: string, text: string): void {
    this.#outputs.set(output, (this.#outputs.get(output) ?? "") + text);
  }

  #compare(output: string, text: string): void {
    if (text !== "" && !text.endsWith("\n")) this.#problems.push(`${output} has no end: ${JSON.stringify(text)}`);
    const lines = text
      .split("\n")
      .slice(0, -1)
      .map((line) => line.replace(/^Lua warning: /, ""))
      // What a closing method was cut off with.
      .filter((line) => !line.startsWith("error in __close"));
    let marks = this.#marks.filter((mark) => mark.output === output);
    if (this.#anywhere) {
      const last = new Map(marks.map((mark) => [mark.piece, mark]));
      marks = marks.filter((mark) => last.get(mark.piece) !== mark || lines.includes(mark.line));
    }
    const expected = marks.map(({ line }) => line);
    if (lines.join("\n") === expected.join("\n")) return;
    this.#problems.push(`${output} is\n  ${lines.join("\n  ")}\nand not\n  ${expected.join("\n  ")}`);
  }

  #follow(output: string, call: Promise<unknown>, fn?: LuaFunction): void {
    const ended: Promise<void> = call
      .then(
        (run) => run as { output?: unknown } | undefined,
        (error: LuaError) => {
          if (!(error instanceof this.#perilune.LuaError)) this.#problems.push(`${output}: ${String(error)}`);
          return error;
        },
      )
      .then((end) => {
        if (fn !== undefined && this.#end !== "close") fn.dispose();
        if (output.startsWith("run")) this.#outputs.set(output, String(end?.output));
        this.#open.delete(ended);
      });
    this.#open.add(ended);
  }

  /** Begins an asynchronous call, in any way and with any end. Returns its promise. */
  #begin(depth = 0): Promise<unknown> {
    const way = this.#random.pick(["run", "run", "callbacks", USUAL] as const);
    const output = way === USUAL ? USUAL : `${way}${++this.#names}`;
    const how = this.#random.below(7);
    // Nothing may end it in the middle of a character: no call that it is begun in, either.
    const alone = output !== USUAL && how < 2 && depth === 0 && this.#end === "by themselves";
    const place = { output, depth: depth + 1, waits: true, alone };
    const options: { signal?: AbortSignal; timeout?: number; fuel?: number } = {};
    let last = "";
    if (how === 1) last = "error('wrong')";
    if (how === 2 || how === 3) {
      const controller = new AbortController();
      options.signal = controller.signal;
      if (how === 2) this.#after(this.#random.below(4), () => controller.abort());
      // From inside of itself, in the end.
      else last = `act(${this.#actions.push(() => controller.abort()) - 1})`;
      last += ` ${this.#line(place)} never()`;
    }
    if (how === 4) {
      this.#anywhere = true;
      options.timeout = 10;
      last = "never()";
    }
    if (how === 5) {
      options.fuel = 1e6;
      last = "while true do end";
    }
    if (how === 6 && this.#end !== "by themselves") last = "never()";
    const code = `${this.#closing(place)} ${this.#body(place)} ${last}`;
    let call: Promise<unknown>;
    if (way === "run") call = this.#lua.runAsync(code, options);
    else if (way === USUAL) call = this.#lua.evalAsync(code, options);
    else {
      const add = (text: string) => this.#add(output, text);
      this.#add(output, "");
      call = this.#lua.evalAsync(code, { ...options, stdout: add, stderr: add });
    }
    this.#follow(output, call);
    return call.catch(() => {});
  }

  #line({ output }: Place, piece = `p${++this.#names}`): string {
    const mark = `mark("${output}", "${piece}")`;
    return this.#random.pick([
      `print(${mark})`,
      `io.write(${mark}, "\\n")`,
      `io.stderr:write(${mark}, "\\n")`,
      `warn(${mark})`,
      `print(${mark}) io.flush()`,
    ]);
  }

  /** Opens a variable whose closing writes, and perhaps waits. */
  #closing(place: Place): string {
    if (this.#random.below(2) === 0 || place.depth > 3) return "";
    const body = this.#body({ ...place, depth: place.depth + 2, alone: false });
    return `local _ <close> = setmetatable({}, { __close = function() ${body} end })`;
  }

  #wait(): string {
    return this.#random.pick([
      "tick()",
      "pcall(fail)",
      "settles()",
      `later(${this.#random.below(3)})`,
      `async.sleep(${this.#random.below(3)})`,
      "io.read()",
      "async.all()",
    ]);
  }

  #body(place: Place): string {
    const piece = `p${++this.#names}`;
    const statements: string[] = [];
    for (let i = 1 + this.#random.below(4); i > 0; i--) {
      statements.push(this.#line(place, piece));
      if (place.waits && this.#random.below(2) === 0) statements.push(this.#wait());
      if (place.depth < 4 && this.#random.below(2) === 0) statements.push(this.#deeper(place));
    }
    if (place.waits && place.alone) {
      const name = `p${++this.#names}`;
      const half = `mark("${place.output}", "${name}", true)`;
      statements.push(`io.write(${half}, "\\xc3") ${this.#wait()} io.write("\\xa9\\n")`);
    }
    return statements.join(" ");
  }

  #deeper(place: Place): string {
    const inner = { ...place, depth: place.depth + 1 };
    const many = { ...inner, alone: false };
    const now = { ...many, waits: false };
    const usual = { ...many, output: USUAL };
    const both = (at: Place) => `function() ${this.#body(at)} end, function() ${this.#body(at)} end`;
    const act = (action: () => unknown) => `act(${this.#actions.push(action) - 1})`;
    const kinds: (() => string)[] = [
      () => `coroutine.wrap(function() ${this.#body(inner)} end)()`,
      () => `pcall(function() ${this.#body(inner)} error("caught") end)`,
      () => `do ${this.#closing(inner)} ${this.#body(inner)} end`,
      () => `call_now(function() ${this.#body(now)} end)`,
      () => `call_later(function() ${this.#body(usual)} end)`,
      () => {
        const code = this.#body(now);
        return act(() => this.#lua.eval(code));
      },
      () => {
        const output = `run${++this.#names}`;
        const code = `${this.#body({ ...now, output })} ${this.#random.pick(["", "error('wrong')"])}`;
        return act(() => {
          try {
            this.#add(output, this.#lua.run(code).output);
          } catch (error) {
            this.#add(output, (error as LuaError).output as string);
          }
        });
      },
      () => act(() => void this.#begin(place.depth)),
      () => {
        const code = this.#body({ ...usual, waits: false });
        const ms = this.#random.below(3);
        const action = act(async () => {
          if (ms > 0) await new Promise<void>((resolve) => this.#after(ms, resolve));
          else await null;
          try {
            this.#lua.eval(code);
          } catch (error) {
            if (!(error instanceof this.#perilune.LuaClosedError)) throw error;
          }
        });
        // A promise is an error where nothing can wait, and its work goes on.
        return place.waits ? action : `pcall(function() ${action} end)`;
      },
    ];
    if (place.waits) {
      kinds.push(
        () => `async.all(${both(many)})`,
        () => `async.race(${both(many)})`,
        () => act(() => this.#begin(place.depth)),
        () => `require("m${this.#modules.push(this.#body(inner)) - 1}")`,
      );
    }
    return this.#random.pick(kinds)();
  }
}

/** Runs rounds, and yields the problems of each, and how many lines there were. */
export async function* outputRounds(
  perilune: Perilune,
  first: number,
  count: number,
): AsyncGenerator<{ seed: number; problems: string[]; lines: number }> {
  for (let seed = first; seed < first + count; seed++) {
    const round = new Round(perilune, seed);
    yield { seed, problems: await round.run(), lines: round.lines };
  }
}
