/**
 * View of the living program.
 *
 * Invariant: `#state` says what the program is doing, and `data-state` of the view says the same to the
 * styles. While another moment is shown, or being restored, the VM's own pictures are not shown.
 */
import { Client, failureOf } from "../client.ts";
import { Editor } from "../editor/editor.ts";
import source from "../../programs/tide-pool.lua";
import { byId, el } from "../view/dom.ts";
import { count, counted, size, time } from "../view/format.ts";
import { Console } from "./console.ts";
import { ImageFiles } from "./files.ts";
import { paint, toProgram } from "./painter.ts";
import type { Running, Frame, LivingCommands, LivingNotice, Moment } from "./protocol.ts";
import { Strip, momentText } from "./strip.ts";
import { Timeline } from "./timeline.ts";

/** Key in localStorage of whether the program was paused. */
const PAUSED = "perilune-demo.living-paused";

type State = "closed" | "opening" | "playing" | "paused" | "trouble";

export class Living {
  readonly #view = byId("living");
  readonly #canvas = byId<HTMLCanvasElement>("picture");
  readonly #client = new Client<LivingCommands, LivingNotice>("./living.js", (notice) => this.#hear(notice));
  readonly #timeline = new Timeline();
  readonly #strip = new Strip(this.#timeline, {
    onLook: (index) => this.#look(index),
    onGo: (index) => void this.#go(index),
    onToggle: () => void this.#toggle(),
  });
  readonly #console = new Console((source) => this.#client.call("eval", { source }));
  #state: State = "closed";
  #frame: Frame | undefined;
  /** Moment that is shown, or being restored. */
  #elsewhere: Moment | undefined;
  #drawing = false;

  constructor() {
    new ImageFiles({ capture: () => this.#client.call("capture", null), open: (image) => this.#openImage(image) });
    byId("pool-play").addEventListener("click", () => void this.#toggle());
    byId("pool-feed").addEventListener("click", () => void this.#tell("feed", null));
    byId("pool-source").addEventListener("click", () => this.#showSource());
    byId("pool-anew").addEventListener("click", () => void this.#begin());
    this.#canvas.addEventListener("pointerdown", (event) => this.#touch(event));
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.#draw());
  }

  /** Shows the view: the program plays. */
  show(): void {
    if (this.#state === "closed") void this.#open(true);
    else if (this.#state === "playing") void this.#play();
  }

  /** Hides the view: the program is paused. */
  hide(): void {
    if (this.#state === "playing") void this.#tell("pause", null);
  }

  async flush(): Promise<void> {
    if (this.#state === "playing") await this.#client.call("flush", null).catch(() => {});
  }

  async #open(kept: boolean): Promise<void> {
    this.#enter("opening");
    byId("pool-trouble").hidden = true;
    try {
      const paused = wasPaused();
      const running = await this.#client.call("open", { kept, paused });
      this.#greet(running);
      this.#enter(paused ? "paused" : "playing");
    } catch (error) {
      this.#enter("trouble");
      this.#complain(failureOf(error));
    }
  }

  /** Starts the program from its first line; the moments until now stay. */
  async #begin(): Promise<void> {
    if (this.#state === "playing" || this.#state === "paused") await this.#tell("anew", null);
  }

  async #toggle(): Promise<void> {
    if (this.#state === "playing") {
      this.#enter("paused");
      rememberPaused(true);
      await this.#tell("pause", null);
    } else if (this.#state === "paused") {
      this.#enter("playing");
      rememberPaused(false);
      await this.#play();
    }
  }

  /** Plays on; fails when another tab has taken the storage meanwhile. */
  async #play(): Promise<void> {
    try {
      await this.#client.call("play", null);
    } catch (error) {
      this.#enter("trouble");
      this.#complain(failureOf(error));
    }
  }

  /** Sends a command; an error of it is shown. */
  async #tell<C extends "feed" | "pause" | "anew">(command: C, args: LivingCommands[C]["args"]): Promise<void> {
    await this.#client
      .call(command, args)
      .catch((error: unknown) => this.#console.note(failureOf(error).message, true));
  }

  #hear(notice: LivingNotice): void {
    switch (notice.event) {
      case "frame":
        this.#frame = notice;
        return this.#draw();
      case "moment":
        // It belongs to what is being left.
        if (this.#elsewhere !== undefined) return;
        this.#timeline.add(notice.moment);
        return this.#showMoments();
      case "output":
        return this.#console.write(notice.parts);
      case "ended":
        return this.#console.note(
          `The program has ended: ${notice.failure.message}. Go back in time, or begin anew.`,
          true,
        );
    }
  }

  #look(index: number | undefined): void {
    this.#elsewhere = index === undefined ? undefined : this.#timeline.moments[index];
    this.#showMoments();
    this.#draw();
  }

  /** Restores the program from a moment. */
  async #go(index: number): Promise<void> {
    const moment = this.#timeline.moments[index];
    if (moment === undefined) return;
    this.#timeline.go(index);
    this.#elsewhere = moment;
    this.#showMoments();
    try {
      await this.#client.call("travel", { image: moment.image, look: false });
    } catch (error) {
      this.#console.note(failureOf(error).message, true);
    }
    this.#frame = moment;
    // Meanwhile one may look at yet another.
    if (this.#elsewhere === moment) this.#elsewhere = undefined;
    this.#showMoments();
    this.#draw();
  }

  async #openImage(image: Uint8Array<ArrayBuffer>): Promise<string> {
    const { tasks, missing } = await this.#client.call("travel", { image, look: true });
    const goes = tasks === 0 ? "no call waits in it" : `${counted(tasks, "call")} ${tasks === 1 ? "goes" : "go"} on`;
    return missing.length === 0 ? goes : `${goes}; this page has no ${missing.join(", ")}`;
  }

  #touch(event: PointerEvent): void {
    if (event.button !== 0 || (this.#state !== "playing" && this.#state !== "paused")) return;
    const { width, height } = this.#canvas;
    const box = this.#canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    void this.#tell("feed", toProgram(this.#canvas, x * width, y * height));
  }

  #resize(): void {
    const ratio = Math.min(2, devicePixelRatio);
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    this.#draw();
  }

  /** Draws with the next frame of the screen, once for each. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      const frame = this.#elsewhere ?? this.#frame;
      if (frame === undefined || this.#canvas.width === 0) return;
      paint(this.#canvas, frame.numbers);
      const tick = byId("pool-tick");
      tick.textContent = `tick ${count(frame.tick)}`;
      tick.dataset["tick"] = String(frame.tick);
    });
  }

  #showMoments(): void {
    this.#strip.draw();
    const { moments, at } = this.#timeline;
    const moment = this.#elsewhere ?? moments[at];
    if (moment === undefined) return;
    const { image, ms } = moment;
    byId("moment-place").textContent = momentText(moment, moments.indexOf(moment) - at);
    byId("moment-size").textContent = size(image.length);
    byId("moment-ms").textContent = time(ms);
    this.#view.dataset["moments"] = String(moments.length);
    this.#view.dataset["at"] = String(at);
    byId("moment-future").hidden = at === moments.length - 1;
  }

  #greet({ fresh, tasks, missing }: Running): void {
    const element = byId("living-restored");
    element.toggleAttribute("data-restored", !fresh);
    const tick = count(this.#frame?.tick ?? 0);
    element.textContent = fresh ? "A new pool" : `Went on at tick ${tick}`;
    if (tasks > 0) element.title = `${counted(tasks, "call")} waited in async.sleep when the page was left`;
    if (missing.length > 0) this.#console.note(`This page has no ${missing.join(", ")}.`, true);
  }

  #showSource(): void {
    const dialog = byId<HTMLDialogElement>("source");
    const host = byId("source-host");
    if (host.childElementCount === 0) {
      const reader = new Editor(
        host,
        { onRun: () => {}, onEdit: () => {} },
        { label: "The program of the tide pool", testid: "source-text", kind: "reading" },
      );
      reader.open(source);
    }
    dialog.showModal();
  }

  #complain({ code, message }: { code: string | undefined; message: string }): void {
    const panel = byId("pool-trouble");
    const locked = code === "locked";
    panel.hidden = false;
    panel.replaceChildren(
      el("h3", {}, locked ? "The pool lives in another tab" : "The pool could not be opened"),
      el(
        "p",
        {},
        locked ? "A VM runs in one place at a time. Close the other tab, or begin one that is not kept." : message,
      ),
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", class: "primary", onclick: () => void this.#open(true) }, "Try again"),
        el(
          "button",
          { type: "button", class: "quiet", onclick: () => void this.#open(false) },
          "Go on without storage",
        ),
      ),
    );
  }

  #enter(state: State): void {
    this.#state = state;
    this.#view.dataset["state"] = state;
    const play = byId<HTMLButtonElement>("pool-play");
    play.textContent = state === "paused" ? "Play" : "Pause";
    const there = state === "playing" || state === "paused";
    for (const button of this.#view.querySelectorAll<HTMLButtonElement>("button[data-needs-vm]"))
      button.disabled = !there;
    byId("pool-status").textContent = state === "paused" ? "Paused: there is no VM now, only its image" : "";
  }
}

/** True if the program was paused at the last visit, or if the user prefers reduced motion. */
function wasPaused(): boolean {
  try {
    const said = localStorage.getItem(PAUSED);
    if (said !== null) return said === "true";
  } catch {
    // Forbidden: nothing was said.
  }
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function rememberPaused(paused: boolean): void {
  try {
    localStorage.setItem(PAUSED, String(paused));
  } catch {
    // Then it is asked anew at the next visit.
  }
}
