/** Images as files: saved by a click, opened by a click or dropped. */
import { failureOf } from "../client.ts";
import { byId, el } from "../view/dom.ts";
import { size } from "../view/format.ts";
import type { Moment } from "./protocol.ts";

interface Callbacks {
  capture: () => Promise<Moment>;
  /** Restores the program from these bytes; rejects when it cannot. */
  open: (image: Uint8Array<ArrayBuffer>) => Promise<string>;
}

/** Largest file that is read, in bytes: no image is larger, a file dropped by mistake may be. */
const IMAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Reasons for which an image is refused, by the code of the error. */
const REFUSALS: Record<string, string> = {
  foreign: "is no image of a VM",
  newer: "was made by a newer version of Perilune than this page has",
  build:
    "belongs to another build of Perilune: the bytes of a memory fit the module that they were made with, and no other",
  corrupt: "is damaged: its checksum is wrong, or it is cut off",
};

export class ImageFiles {
  readonly #callbacks: Callbacks;
  readonly #message = byId("image-message");

  constructor(callbacks: Callbacks) {
    this.#callbacks = callbacks;
    const input = byId<HTMLInputElement>("image-file");
    byId("image-download").addEventListener("click", () => void this.#download());
    byId("image-open").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      void this.#open(input.files?.[0]);
      input.value = "";
    });
    this.#listenForDrops(byId("living"));
  }

  async #download(): Promise<void> {
    try {
      const { image, tick } = await this.#callbacks.capture();
      const href = URL.createObjectURL(new Blob([image], { type: "application/octet-stream" }));
      const name = `tide-pool-${tick}.perilune`;
      el("a", { href, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
      this.#say(`Saved as ${name}, ${size(image.length)}.`);
    } catch (error) {
      this.#say(failureOf(error).message, "bad");
    }
  }

  async #open(file: File | undefined): Promise<void> {
    if (file === undefined) return;
    try {
      const bytes = new Uint8Array(await file.slice(0, IMAGE_BYTES_MAX).arrayBuffer());
      this.#say(`“${file.name}” is open: ${await this.#callbacks.open(bytes)}.`, "good");
    } catch (error) {
      const { code, message } = failureOf(error);
      const why = REFUSALS[code ?? ""] ?? `could not be opened: ${message}`;
      this.#say(`“${file.name}” ${why}. The pool goes on as it was.`, "bad", code);
    }
  }

  #say(text: string, kind = "", code = ""): void {
    this.#message.textContent = text;
    this.#message.dataset["kind"] = kind;
    this.#message.dataset["code"] = code;
  }

  #listenForDrops(area: HTMLElement): void {
    const over = (event: DragEvent, is: boolean) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      area.toggleAttribute("data-drop", is);
    };
    area.addEventListener("dragenter", (event) => over(event, true));
    area.addEventListener("dragover", (event) => over(event, true));
    area.addEventListener("dragleave", (event) => {
      if (!area.contains(event.relatedTarget as Node | null)) over(event, false);
    });
    area.addEventListener("drop", (event) => {
      over(event, false);
      void this.#open(event.dataTransfer?.files[0]);
    });
  }
}
