/** Chart of memory over the runs: Lua's values, the VM's memory, and its limit. */
import type { Overview } from "../protocol.ts";
import { byId, el, svg } from "./dom.ts";
import { count, size } from "./format.ts";

type Memory = Overview["memory"];

interface Sample extends Memory {
  /** Action before the measurement. */
  cause: "open" | "run" | "gc";
}

const SAMPLES_MAX = 60;
/** Fewest points that the width is made for: fewer fill a part of it. */
const SAMPLES_MIN = 16;
const WIDTH = 600;
const HEIGHT = 120;
/** Room above the limit, in units of the drawing. */
const TOP = 8;

export class MemoryChart {
  readonly #samples: Sample[] = [];
  readonly #figure = byId("memory-chart");
  readonly #numbers = byId("memory-numbers");
  #runs = 0;

  add(memory: Memory, cause: Sample["cause"]): void {
    if (cause === "run") this.#runs += 1;
    this.#samples.push({ ...memory, cause });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#draw(memory);
  }

  #draw({ used, limit, luaUsed, peak }: Memory): void {
    const step = WIDTH / (Math.max(SAMPLES_MIN, this.#samples.length) - 1);
    const y = (bytes: number) => TOP + (HEIGHT - TOP) * (1 - bytes / limit);
    const line = (pick: (sample: Sample) => number) =>
      this.#samples.map((sample, i) => `${(i * step).toFixed(1)},${y(pick(sample)).toFixed(1)}`);
    const end = ((this.#samples.length - 1) * step).toFixed(1);
    const area = (points: string[]) => `M0,${HEIGHT} L${points.join(" L")} L${end},${HEIGHT} Z`;
    const [total, lua] = [line((sample) => sample.used), line((sample) => sample.luaUsed)];

    const text = `Lua ${size(luaUsed)}, VM ${size(used)} of ${size(limit)}, peak ${size(peak)}`;
    const drawing = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("line", { class: "limit", x1: 0, x2: WIDTH, y1: TOP, y2: TOP }),
      svg("path", { class: "used-area", d: area(total) }),
      svg("path", { class: "lua-area", d: area(lua) }),
      svg("polyline", { class: "used-line", points: total.join(" ") }),
      svg("polyline", { class: "lua-line", points: lua.join(" ") }),
      ...this.#collections(step),
    );
    this.#figure.setAttribute("aria-label", `Memory over ${count(this.#runs)} runs. Now: ${text}.`);
    this.#figure.dataset["samples"] = String(this.#samples.length);
    this.#figure.dataset["lua"] = String(luaUsed);
    this.#figure.replaceChildren(drawing as unknown as HTMLElement, ...this.#dots(step, y));
    this.#numbers.replaceChildren(
      ...number("Lua values", "lua", luaUsed),
      ...number("Peak", "peak", peak),
      ...number("VM", "used", used),
      ...number("Limit", "limit", limit),
    );
  }

  /** A tick where the garbage collector was asked. */
  #collections(step: number): SVGElement[] {
    return this.#samples.flatMap(({ cause }, i) =>
      cause === "gc" ? [svg("line", { class: "collection", x1: i * step, x2: i * step, y1: TOP, y2: HEIGHT })] : [],
    );
  }

  /** Dot at the present value. HTML, because the drawing is stretched and circles would not be round. */
  #dots(step: number, y: (bytes: number) => number): HTMLElement[] {
    const last = this.#samples.at(-1);
    if (last === undefined) return [];
    const left = `${(((this.#samples.length - 1) * step) / WIDTH) * 100}%`;
    return (["used", "luaUsed"] as const).map((name) => {
      const dot = el("i", { class: `dot ${name}` });
      dot.style.left = left;
      dot.style.top = `${(y(last[name]) / HEIGHT) * 100}%`;
      return dot;
    });
  }
}

function number(label: string, name: string, bytes: number): HTMLElement[] {
  return [el("dt", { class: name }, label), el("dd", { class: name, testid: `memory-${name}` }, size(bytes))];
}
