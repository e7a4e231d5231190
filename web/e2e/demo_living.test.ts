/** Tests of the living program of the demo page: it goes on, wherever its image comes from. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, suite, test } from "node:test";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { openDemoSite, type DemoSite } from "./demo_site.ts";
import { HANG_MS, until } from "../test/time.ts";

/** Ticks that a program needs at least to draw its first pictures and to be written to storage. */
const TICKS = 40;

suite("the living program", () => {
  let site: DemoSite;
  /** Errors of any page: the tests expect none. */
  let complaints: string[];

  before(async () => {
    site = await openDemoSite("demo-living");
  });
  after(() => site?.close());

  interface Visitor {
    width?: number;
    reducedMotion?: "reduce" | "no-preference";
  }

  /** A visitor with a storage of their own. */
  async function visit(
    body: (page: Page, context: BrowserContext) => Promise<void>,
    { width = 1280, reducedMotion = "no-preference" }: Visitor = {},
  ): Promise<void> {
    const context = await site.browser.newContext({ viewport: { width, height: 800 }, reducedMotion });
    context.setDefaultTimeout(HANG_MS);
    complaints = [];
    try {
      await body(await open(context, reducedMotion === "reduce" ? "paused" : "playing"), context);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  async function open(context: BrowserContext, state: string): Promise<Page> {
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${site.origin}/`) && !url.startsWith("blob:")) complaints.push(`asked for ${url}`);
    });
    await page.goto(`${site.origin}/#/tide-pool`);
    await is(page, state);
    return page;
  }

  test("it runs: the picture changes, and there is a moment each second", () =>
    visit(async (page) => {
      const first = await picture(page);
      await reaches(page, (await tick(page)) + 20);
      assert.notEqual(await picture(page), first);
      await moments(page, 3);
      assert.match(await text(page, "moment-size"), /^[\d.]+ KiB$/);
      assert.match(await text(page, "moment-ms"), /^[\d.]+ ms$/);
      assert.equal(await text(page, "living-restored"), "A new pool");
    }));

  test("one goes back in time, and the program goes on from there", () =>
    visit(async (page) => {
      await moments(page, 5);
      const before = await tick(page);
      // Everything that is shown from here on, however fast the test is to look at it.
      await page.evaluate(() => {
        const [picture, strip] = [
          document.getElementById("pool-tick")!,
          document.querySelector("[data-testid=strip]")!,
        ];
        const shown: { ticks: number[]; texts: (string | null)[] } = { ticks: [], texts: [] };
        const look = () => {
          shown.ticks.push(Number(picture.dataset["tick"]));
          shown.texts.push(strip.getAttribute("aria-valuetext"));
        };
        const observer = new MutationObserver(look);
        observer.observe(picture, { attributeFilter: ["data-tick"] });
        observer.observe(strip, { attributeFilter: ["aria-valuetext"] });
        Object.assign(globalThis, { shown });
      });
      await page.getByTestId("strip").focus();
      // What one looks at is a picture; the program comes when the keys rest.
      await page.keyboard.press("Home");
      await page.locator("[data-testid=living][data-at='0']").waitFor();
      await page.getByTestId("future").waitFor();
      const { ticks, texts } = await shownFrom(page, before);
      assert.ok(
        texts.some((text) => /^tick \d+, \d+ s back$/.test(text ?? "")),
        texts.join("; "),
      );
      // A picture of the past, and those that the program draws from there: none of what was left.
      assert.deepEqual(
        ticks,
        [...ticks].sort((a, b) => a - b),
      );
      assert.ok(new Set(ticks.filter((shown) => shown < before)).size > 3, ticks.join());
      // The program itself is as young as its picture.
      const least = await tick(page);
      const census = await evaluated(page, "census().tick", /^(\d+)/);
      await reaches(page, census);
      assert.ok(census >= least);
    }));

  test("what was looked at is left with Escape, and nothing has happened", () =>
    visit(async (page) => {
      await moments(page, 3);
      const before = await tick(page);
      await page.getByTestId("strip").focus();
      await page.keyboard.press("Home");
      await page.keyboard.press("Escape");
      await reaches(page, before + 1);
    }));

  test("code that is run in it stays in it, and may wait", () =>
    visit(async (page) => {
      await evaluate(page, "marker = 41 return census().fish");
      await enter(page, "for _ = 1, 3 do marker = marker + 1 async.sleep(400) end");
      const image = await download(page);
      await page.reload();
      await is(page, "playing");
      await page.getByTestId("anew").click();
      assert.equal(await evaluate(page, "tostring(marker)"), '"nil"string', "the new pool has none");
      await page.getByTestId("image-file").setInputFiles({ name: "mine.perilune", mimeType: "", buffer: image });
      await page.getByTestId("image-message").filter({ hasText: "is open: 2 calls go on" }).waitFor();
      // One of the two is ours: it waited when the image was made, and goes on here.
      await until(async () => (await evaluated(page, "marker", /^(\d+)/)) === 44);
      assert.match(await evaluate(page, "nothing.at.all"), /attempt to index a nil value/);
      assert.match(await evaluate(page, "= ="), /unexpected symbol/);
    }));

  test("where the picture is touched there is food", () =>
    visit(async (page) => {
      const before = await evaluated(page, "census().coroutines", /^(\d+)/);
      await page.getByTestId("picture").click({ position: { x: 300, y: 200 } });
      await page.getByTestId("feed").click();
      assert.ok((await evaluated(page, "census().coroutines", /^(\d+)/)) >= before + 6);
    }));

  test("a program without end is ended, and the pool goes on", () =>
    visit(async (page) => {
      assert.match(await evaluate(page, "while true do end"), /^console:1: timed out/);
      await reaches(page, (await tick(page)) + 5);
    }));

  test("a second tab is told that the pool lives in the first, and can have one of its own", () =>
    visit(async (page, context) => {
      const second = await open(context, "trouble");
      assert.match(await text(second, "pool-trouble"), /lives in another tab/);
      await second.getByRole("button", { name: "Go on without storage" }).click();
      await is(second, "playing");
      await second.close();
      const third = await open(context, "trouble");
      await page.close();
      await third.getByRole("button", { name: "Try again" }).click();
      await third.getByTestId("living-restored").filter({ hasText: "Went on at tick" }).waitFor();
    }));

  test("an image is downloaded, opened again, and goes on", () =>
    visit(async (page) => {
      await reaches(page, TICKS);
      const image = await download(page);
      assert.equal(image.subarray(0, 8).toString("latin1"), "PERILUVM");
      const saved = Number(/tide-pool-(\d+)\.perilune/.exec(await text(page, "image-message"))?.[1]);
      assert.ok(saved >= TICKS, `${saved}`);
      await page.getByTestId("anew").click();
      await page.waitForFunction(
        (saved) => Number(document.getElementById("pool-tick")?.dataset["tick"]) < saved,
        saved,
      );
      await page.getByTestId("image-file").setInputFiles({ name: "pool.perilune", mimeType: "", buffer: image });
      await page.getByTestId("image-message").filter({ hasText: "is open: 1 call goes on" }).waitFor();
      await reaches(page, saved + 5);
      assert.ok((await tick(page)) < saved + 200);
    }));

  test("what is no image is refused with its reason, and the program goes on", () =>
    visit(async (page) => {
      await reaches(page, TICKS);
      const image = await download(page);
      const changed = (at: number, value?: number) => {
        const copy = Buffer.from(image);
        copy[at] = value ?? (copy[at] as number) ^ 0xff;
        return copy;
      };
      const refused: [Buffer, string, RegExp][] = [
        [Buffer.from("a letter, and a long one at that"), "foreign", /“x\.perilune” is no image of a VM/],
        [Buffer.alloc(0), "foreign", /is no image/],
        [image.subarray(0, 5000), "corrupt", /is damaged/],
        [changed(image.length >> 1), "corrupt", /is damaged: its checksum is wrong/],
        [changed(8, 99), "newer", /a newer version of Perilune/],
        [withChecksum(changed(12)), "build", /belongs to another build/],
      ];
      for (const [buffer, code, why] of refused) {
        const before = await tick(page);
        await page.getByTestId("image-file").setInputFiles({ name: "x.perilune", mimeType: "", buffer });
        await page.locator(`[data-testid=image-message][data-code=${code}]`).filter({ hasText: why }).waitFor();
        assert.match(await text(page, "image-message"), /The pool goes on as it was\.$/);
        await reaches(page, before + 3);
        await page.getByTestId("image-download").click();
        await page.getByTestId("image-message").filter({ hasText: "Saved" }).waitFor();
      }
    }));

  test("a file is dropped on it", () =>
    visit(async (page) => {
      await reaches(page, TICKS);
      const image = [...(await download(page))];
      await page.getByTestId("picture").evaluate((target, image) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(image)], "dropped.perilune"));
        for (const type of ["dragenter", "dragover", "drop"]) {
          target.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }
      }, image);
      await page.getByTestId("image-message").filter({ hasText: "“dropped.perilune” is open" }).waitFor();
    }));

  test("paused there are only bytes; played it goes on where it was", () =>
    visit(async (page) => {
      await reaches(page, 10);
      await page.getByTestId("play").click();
      await is(page, "paused");
      await isAsleep(page);
      const still = [await tick(page), await picture(page)];
      await page.waitForTimeout(500);
      assert.deepEqual([await tick(page), await picture(page)], still);
      // The first picture that is drawn afterwards.
      const first = page.evaluate(
        () =>
          new Promise<number>((resolve) => {
            const shown = document.getElementById("pool-tick") as HTMLElement;
            const observer = new MutationObserver(() => {
              observer.disconnect();
              resolve(Number(shown.dataset["tick"]));
            });
            observer.observe(shown, { attributeFilter: ["data-tick"] });
          }),
      );
      await page.getByTestId("play").click();
      await reaches(page, (still[0] as number) + 2);
      const went = (await first) - (still[0] as number);
      // A picture of the screen may come after some of the program's.
      assert.ok(went > 0 && went < 60, `${went} ticks`);
    }));

  test("after a reload it goes on where it was", () =>
    visit(async (page) => {
      await evaluate(page, "marker = 'here'");
      await reaches(page, 2 * TICKS);
      const reloaded = async (reload: () => Promise<unknown>): Promise<number> => {
        await Promise.all([page.waitForEvent("load"), reload()]);
        await is(page, "playing");
        const [, went] = /^Went on at tick ([\d,]+)$/.exec(await text(page, "living-restored")) ?? [];
        const restored = Number(went?.replaceAll(",", ""));
        assert.equal(await evaluate(page, "marker"), '"here"string');
        await reaches(page, restored + 5);
        return restored;
      };
      // The button has everything committed first: nothing that was seen is lost.
      const seen = await tick(page);
      const flushed = await reloaded(() => page.getByTestId("reload").click());
      assert.ok(flushed >= seen, `from ${seen} to ${flushed}`);
      // The browser's own reload asks for no commit: one is made a moment later, whenever that is on a busy
      // machine.
      let restored: number;
      do {
        await page.waitForTimeout(1500);
        restored = await reloaded(() => page.reload());
        assert.ok(restored >= flushed, `from ${flushed} to ${restored}`);
      } while (restored === flushed);
    }));

  test("after a reload it is paused if it was paused", () =>
    visit(async (page) => {
      await reaches(page, TICKS);
      await page.getByTestId("play").click();
      await is(page, "paused");
      await page.getByTestId("reload").click();
      await page.getByTestId("living-restored").filter({ hasText: "Went on" }).waitFor();
      await is(page, "paused");
      assert.ok((await tick(page)) >= TICKS);
    }));

  test("with reduced motion there is one picture, and it moves when asked to", () =>
    visit(
      async (page) => {
        const first = [await tick(page), await picture(page)];
        assert.ok((first[0] as number) > 0);
        await page.waitForTimeout(500);
        assert.deepEqual([await tick(page), await picture(page)], first);
        await page.getByTestId("ideas").getByRole("button", { name: "One fish more" }).click();
        await page.getByTestId("answer").filter({ hasText: "coroutines" }).waitFor();
        await is(page, "paused");
        await page.getByTestId("play").click();
        await reaches(page, (first[0] as number) + 20);
      },
      { reducedMotion: "reduce" },
    ));

  test("out of view it is paused; the programs are there meanwhile", () =>
    visit(async (page) => {
      await reaches(page, 10);
      await page.getByTestId("view-programs").click();
      await page.locator("body[data-state=ready]").waitFor();
      await page.getByTestId("run").click();
      await page.getByTestId("elapsed").waitFor();
      await isAsleep(page);
      const slept = await tick(page);
      await page.waitForTimeout(1000);
      assert.equal(await tick(page), slept);
      await page.getByTestId("view-living").click();
      await reaches(page, slept + 5);
    }));

  test("everything can be reached by keyboard", () =>
    visit(async (page) => {
      const focus = () =>
        page.evaluate(() => document.activeElement?.closest<HTMLElement>("[data-testid]")?.dataset["testid"]);
      await page.getByTestId("reload").focus();
      const reached: (string | undefined)[] = [];
      for (let i = 0; i < 16; i++) {
        await page.keyboard.press("Tab");
        reached.push(await focus());
      }
      for (const id of ["feed", "play", "strip", "pool-source", "log", "ideas", "console", "console-run", "anew"]) {
        assert.ok(reached.includes(id), `${id} is not among ${reached.join()}`);
      }
      await page.getByTestId("strip").focus();
      await page.keyboard.press("Space");
      await is(page, "paused");
      await page.getByTestId("pool-source").click();
      assert.match(await text(page, "source-text"), /A tide pool/);
      await page.keyboard.press("Escape");
    }));

  for (const width of [360, 380, 768, 1280]) {
    test(`at ${width} pixels nothing is wider than the window`, () =>
      visit(
        async (page) => {
          await evaluate(page, "('long'):rep(100)");
          const wide = await page.evaluate(() => {
            const out = [...document.querySelectorAll("#living button, #living canvas, #living p, .top *")].filter(
              (element) => element.getBoundingClientRect().right > innerWidth,
            );
            return [document.documentElement.scrollWidth - innerWidth, ...out.map((element) => element.outerHTML)];
          });
          assert.deepEqual(wide, [0]);
        },
        { width },
      ));
  }
});

async function is(page: Page, state: string): Promise<void> {
  await page.locator(`[data-testid=living][data-state=${state}]`).waitFor();
}

/** Resolves with what was shown from the first picture on that is older than `before`. */
async function shownFrom(page: Page, before: number): Promise<{ ticks: number[]; texts: (string | null)[] }> {
  const all = () =>
    page.evaluate(() => (globalThis as unknown as { shown: { ticks: number[]; texts: string[] } }).shown);
  const from = ({ ticks, texts }: { ticks: number[]; texts: string[] }) => {
    const first = ticks.findIndex((shown) => shown < before);
    return first < 0 ? { ticks: [], texts: [] } : { ticks: ticks.slice(first), texts: texts.slice(first) };
  };
  await until(async () => new Set(from(await all()).ticks).size > 10);
  return from(await all());
}

/** Resolves when the program sleeps, which must have been asked for: its worker answers in order. */
async function isAsleep(page: Page): Promise<void> {
  // Also where its view is hidden.
  const button = page.getByTestId("image-download");
  await Promise.all([page.waitForEvent("download"), button.dispatchEvent("click")]);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/** The program's own count, as it stands at the picture. */
async function tick(page: Page): Promise<number> {
  return Number(await page.getByTestId("tick").getAttribute("data-tick"));
}

async function reaches(page: Page, least: number): Promise<void> {
  await page.waitForFunction((least) => Number(document.getElementById("pool-tick")?.dataset["tick"]) >= least, least);
}

async function moments(page: Page, least: number): Promise<void> {
  await page.waitForFunction((least) => Number(document.getElementById("living")?.dataset["moments"]) >= least, least);
}

/** Returns what is drawn, as a data URL. */
function picture(page: Page): Promise<string> {
  return page.getByTestId("picture").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
}

/** Writes code into the line and runs it; where its answer comes. */
async function enter(page: Page, code: string): Promise<Locator> {
  const answers = page.getByTestId("answer");
  const before = await answers.count();
  await page.getByTestId("console").click();
  await page.keyboard.insertText(code);
  await page.keyboard.press("Enter");
  return answers.nth(before);
}

/** Runs code in the VM; what the page shows of it. */
async function evaluate(page: Page, code: string): Promise<string> {
  const answer = await enter(page, code);
  await answer.locator("> *").first().waitFor();
  return (await answer.textContent()) ?? "";
}

async function evaluated(page: Page, code: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await evaluate(page, code))?.[1]);
}

async function download(page: Page): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId("image-download").click()]);
  return readFile(await file.path());
}

async function text(page: Page, id: string): Promise<string> {
  return (await page.getByTestId(id).textContent()) ?? "";
}

/** The image with the checksum at its end made right again. */
function withChecksum(image: Buffer): Buffer {
  const end = image.length - 4;
  let crc = 0xffffffff;
  for (let at = 0; at < end; at++) {
    crc ^= image[at] as number;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  image.writeUInt32LE(~crc >>> 0, end);
  return image;
}
