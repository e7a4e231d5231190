/**
 * Timeline on the screen: from each moment a strip of its picture, side by side, and a playhead.
 *
 * The pointer, or the keys of a slider, show the picture of a moment; the program is restored from it when
 * the pointer is released, or the keys rest.
 */
import { byId, el } from "../view/dom.ts";
import { paint } from "./painter.ts";
import type { Moment } from "./protocol.ts";
import { MOMENTS_MAX, type Timeline } from "./timeline.ts";

/** Time for which keys must rest, in milliseconds. */
const REST_MS = 350;
/** Pixels of a small picture: twice as many as are shown. */
const PICTURE_WIDTH = 192;
const PICTURE_HEIGHT = 108;

interface Callbacks {
  /** Takes the moment that is looked at; undefined: none any more. */
  onLook: (index: number | undefined) => void;
  onGo: (index: number) => void;
  onToggle: () => void;
}

export class Strip {
  readonly #timeline: Timeline;
  readonly #callbacks: Callbacks;
  readonly #slider = byId("strip");
  readonly #canvas = byId<HTMLCanvasElement>("strip-canvas");
  readonly #pictures = new WeakMap<Moment, HTMLCanvasElement>();
  #looking: number | undefined;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(timeline: Timeline, callbacks: Callbacks) {
    this.#timeline = timeline;
    this.#callbacks = callbacks;
    const slider = this.#slider;
    slider.addEventListener("pointerdown", (event) => this.#press(event));
    slider.addEventListener("pointermove", (event) => {
      if (slider.hasPointerCapture(event.pointerId)) this.#look(this.#indexAt(event));
    });
    slider.addEventListener("pointerup", () => this.#go());
    slider.addEventListener("pointercancel", () => this.#look(undefined));
    slider.addEventListener("keydown", (event) => this.#key(event));
    slider.addEventListener("blur", () => this.#go());
    new ResizeObserver(() => this.draw()).observe(slider);
  }

  /** Shows the timeline as it is now. */
  draw(): void {
    const { moments, at } = this.#timeline;
    const shown = this.#looking ?? at;
    this.#say(shown);
    const canvas = this.#canvas;
    const { clientWidth, clientHeight } = canvas;
    if (clientWidth === 0) return;
    const ratio = Math.min(2, devicePixelRatio);
    canvas.width = Math.round(clientWidth * ratio);
    canvas.height = Math.round(clientHeight * ratio);
    const context = canvas.getContext("2d");
    if (context === null) return;
    const slot = canvas.width / MOMENTS_MAX;
    moments.forEach((moment, index) => {
      const picture = this.#picture(moment);
      const wide = Math.min(PICTURE_WIDTH, (slot / canvas.height) * PICTURE_HEIGHT);
      context.globalAlpha = index > at ? 0.28 : 1;
      const [x, next] = [Math.round(index * slot), Math.round((index + 1) * slot)];
      const gap = Math.max(1, Math.round(ratio));
      context.drawImage(
        picture,
        (PICTURE_WIDTH - wide) / 2,
        0,
        wide,
        PICTURE_HEIGHT,
        x,
        0,
        next - x - gap,
        canvas.height,
      );
    });
  }

  /** Returns the small picture of a moment, in the colours that the page had when it was drawn. */
  #picture(moment: Moment): HTMLCanvasElement {
    let picture = this.#pictures.get(moment);
    if (picture === undefined) {
      picture = el("canvas", { width: String(PICTURE_WIDTH), height: String(PICTURE_HEIGHT) });
      paint(picture, moment.numbers);
      this.#pictures.set(moment, picture);
    }
    return picture;
  }

  #say(shown: number): void {
    const { moments, at } = this.#timeline;
    const moment = moments[shown];
    const slider = this.#slider;
    slider.style.setProperty("--at", String((shown + 0.5) / MOMENTS_MAX));
    slider.toggleAttribute("data-empty", moment === undefined);
    slider.toggleAttribute("data-looking", this.#looking !== undefined);
    slider.setAttribute("aria-valuemax", String(Math.max(0, moments.length - 1)));
    slider.setAttribute("aria-valuenow", String(Math.max(0, shown)));
    slider.setAttribute("aria-valuetext", moment === undefined ? "no moment yet" : momentText(moment, shown - at));
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0 || this.#timeline.moments.length === 0) return;
    this.#slider.setPointerCapture(event.pointerId);
    this.#look(this.#indexAt(event));
  }

  #indexAt({ clientX }: PointerEvent): number {
    const { left, width } = this.#slider.getBoundingClientRect();
    const index = Math.floor(((clientX - left) / width) * MOMENTS_MAX);
    return Math.max(0, Math.min(this.#timeline.moments.length - 1, index));
  }

  #key(event: KeyboardEvent): void {
    const { moments, at } = this.#timeline;
    const from = this.#looking ?? at;
    const steps: Record<string, number> = {
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      PageDown: from - 10,
      PageUp: from + 10,
      Home: 0,
      End: moments.length - 1,
    };
    const to = steps[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (to !== undefined && moments.length > 0) {
      this.#look(Math.max(0, Math.min(moments.length - 1, to)));
      this.#rest = setTimeout(() => this.#go(), REST_MS);
    } else if (event.key === "Enter") this.#go();
    else if (event.key === "Escape") this.#look(undefined);
    else if (event.key === " ") this.#callbacks.onToggle();
    else return;
    event.preventDefault();
  }

  #look(index: number | undefined): void {
    clearTimeout(this.#rest);
    if (index === this.#looking) return;
    this.#looking = index;
    this.#callbacks.onLook(index);
    this.draw();
  }

  #go(): void {
    const index = this.#looking;
    if (index === undefined) return;
    clearTimeout(this.#rest);
    this.#looking = undefined;
    this.#callbacks.onGo(index);
    this.draw();
  }
}

/** Label of a moment: its number, and its distance from the program's; moments are a second apart. */
export function momentText({ tick }: Moment, distance: number): string {
  const seconds = Math.abs(distance);
  const away = seconds === 0 ? "" : `, ${seconds} s ${distance < 0 ? "back" : "ahead"}`;
  return `tick ${tick.toLocaleString("en")}${away}`;
}
