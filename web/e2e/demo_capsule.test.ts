/** Tests of the capsule's view of the demo page: a list of tasks whose rules are in its database. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, suite, test } from "node:test";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { openDemoSite, type DemoSite } from "./demo_site.ts";
import { HANG_MS, until } from "../test/time.ts";

const REFUSAL = "A title has three letters at least";

suite("the capsule's view", () => {
  let site: DemoSite;
  /** Errors of any page: the tests expect none. */
  let complaints: string[];
  /** Files that any page has asked for. */
  let requests: string[];

  before(async () => {
    site = await openDemoSite("demo-capsule");
  });
  after(() => site?.close());

  interface Visitor {
    width?: number;
    colorScheme?: "light" | "dark";
    reducedMotion?: "reduce" | "no-preference";
  }

  /** A visitor with a storage of their own. */
  async function visit(
    body: (page: Page, context: BrowserContext) => Promise<void>,
    { width = 1280, colorScheme = "dark", reducedMotion = "reduce" }: Visitor = {},
  ): Promise<void> {
    const viewport = { width, height: 900 };
    const context = await site.browser.newContext({ viewport, colorScheme, reducedMotion });
    context.setDefaultTimeout(HANG_MS);
    complaints = [];
    requests = [];
    context.on("page", listen);
    await context.addInitScript(recordToasts);
    try {
      const page = await context.newPage();
      await page.goto(`${site.origin}/#/capsule`);
      await isReady(page);
      await body(page, context);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  function listen(page: Page): void {
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    page.on("request", (request) => {
      const url = request.url();
      requests.push(url.slice(site.origin.length));
      if (!url.startsWith(`${site.origin}/`) && !url.startsWith("blob:")) complaints.push(`asked for ${url}`);
    });
  }

  test("a task is added, as the rules have made it, and all that follows has heard of it", () =>
    visit(async (page) => {
      assert.deepEqual(await counts(page), { Ada: [1, 1], Bo: [0, 1], Cleo: [1, 1] });
      await page.getByTestId("c-user").selectOption({ label: "Bo" });
      await add(page, "  Repair   the antenna ");
      const item = await task(page, "Repair the antenna");
      assert.equal(await item.locator(".slug").textContent(), "repair-the-antenna");
      assert.equal(await item.locator(".who").textContent(), "Bo");
      await countsAre(page, { Ada: [1, 1], Bo: [0, 2], Cleo: [1, 1] });
      const change = newest(page).getByTestId("c-change");
      await change.filter({ hasText: "INSERTtasks 6" }).waitFor();
      assert.match((await change.textContent()) ?? "", /title Repair the antenna.*slug repair-the-antenna/);
      assert.equal(await page.getByTestId("c-title").inputValue(), "");
    }));

  test("a row that changes is shown so for a moment, and stays the same element", () =>
    visit(
      async (page) => {
        const row = page.getByTestId("c-count").filter({ hasText: "Bo" });
        const element = await row.elementHandle();
        await page.evaluate(() => {
          const list = document.querySelector("[data-testid=c-counts]")!;
          const marked: (string | null | undefined)[] = [];
          const look = (records: MutationRecord[]) => {
            for (const { target } of records) {
              const row = target as HTMLElement;
              if (row.hasAttribute("data-changed")) marked.push(row.querySelector(".name")?.textContent);
            }
          };
          new MutationObserver(look).observe(list, { subtree: true, attributeFilter: ["data-changed"] });
          Object.assign(globalThis, { marked });
        });
        await page.getByTestId("c-user").selectOption({ label: "Bo" });
        await add(page, "Count the craters");
        await countsAre(page, { Ada: [1, 1], Bo: [0, 2], Cleo: [1, 1] });
        await page.waitForFunction(() => (globalThis as unknown as { marked: string[] }).marked.includes("Bo"));
        await page.locator("[data-testid=c-count][data-changed]").waitFor({ state: "detached" });
        assert.ok(await row.evaluate((row, before) => row === before, element));
      },
      { reducedMotion: "no-preference" },
    ));

  test("a task that is refused is told beside the form, and nothing is written", () =>
    visit(async (page) => {
      const tasks = await page.getByTestId("c-task").count();
      await add(page, "x");
      const refusal = page.getByTestId("c-refusal");
      await refusal.filter({ hasText: REFUSAL }).waitFor();
      const title = page.getByTestId("c-title");
      assert.equal(await title.getAttribute("aria-invalid"), "true");
      assert.equal(await title.inputValue(), "x", "what was written is still there");
      assert.equal(await page.getByTestId("c-task").count(), tasks);
      await title.fill("xyz");
      assert.equal(await refusal.textContent(), "");
      assert.equal(await title.getAttribute("aria-invalid"), null);
    }));

  test("no SQL gets around the rules; a thousand rows that keep to them are written", () =>
    visit(async (page) => {
      const before = await counts(page);
      for (const example of ["Insert", "Update", "Hide in 1,000"]) {
        await runExample(page, example, "bad");
        const answer = (await page.getByTestId("c-answer").textContent()) ?? "";
        assert.match(
          answer,
          new RegExp(`refused${REFUSAL}rules.lua, line \\d+Nothing was written.[\\d.]+ m?s`),
          example,
        );
      }
      assert.deepEqual(await counts(page), before);
      await page.getByTestId("c-answer").getByRole("button").click();
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-testid")), "c-rules");

      await runExample(page, "Insert 1,000", "good");
      assert.match((await page.getByTestId("c-answer").textContent()) ?? "", /^1,000 rows changed[\d.]+ m?s$/);
      await countsAre(page, { Ada: [1, 334], Bo: [0, 335], Cleo: [1, 334] });
      assert.equal(await text(page, "c-total"), "1,005 rows");
      assert.equal(await page.getByTestId("c-task").count(), 50);
      await newest(page).getByTestId("c-more").filter({ hasText: "995 more changes of 1,000" }).click();
      await newest(page).getByTestId("c-more").filter({ hasText: "945 more changes of 1,000" }).waitFor();
      assert.equal(await newest(page).getByTestId("c-change").count(), 55);
      await page.getByRole("button", { name: "Older tasks" }).click();
      await page.getByTestId("c-window").filter({ hasText: "51–100" }).waitFor();

      await runExample(page, "Delete all", "good");
      await countsAre(page, { Ada: [0, 0], Bo: [0, 0], Cleo: [0, 0] });
      await newest(page).getByTestId("c-undo").click();
      await countsAre(page, { Ada: [1, 334], Bo: [0, 335], Cleo: [1, 334] });
    }));

  test("SQL is answered with rows, with what is wrong in it, and leaves no transaction open", () =>
    visit(async (page) => {
      await runSql(page, "SELECT name, 1.5 AS half, x'00ff' AS bytes, NULL AS none FROM users ORDER BY id", "good");
      assert.match((await page.getByTestId("c-answer").textContent()) ?? "", /^3 rows.*Ada1\.52 bytesNULL/);
      await runSql(page, "SELEKT 1", "bad");
      assert.match((await page.getByTestId("c-answer").textContent()) ?? "", /^sqlnear "SELEKT": syntax error/);
      await runSql(page, "BEGIN", "bad");
      await add(page, "Written all the same");
      await task(page, "Written all the same");
    }));

  test("a task that is done is told by the rules, with its reaction and the cause in the log", () =>
    visit(async (page) => {
      await (await task(page, "Charge the rover")).locator("input").check();
      const told = "Ada has done “Charge the rover”";
      await isTold(page, told);
      await countsAre(page, { Ada: [2, 0], Bo: [0, 1], Cleo: [1, 1] });
      const reaction = newest(page);
      await reaction.filter({ hasText: "latest Map the far side → Charge the rover" }).waitFor();
      const cause = await reaction.getByTestId("c-cause").textContent();
      assert.equal(await reaction.getAttribute("data-source"), "lua");
      const [, number] = /^because of #(\d+)$/.exec(cause ?? "") ?? [];
      const answered = page.locator(`[data-testid=c-tx][data-tx="${number}"]`);
      assert.equal(await answered.getAttribute("data-source"), "trigger");
      const differs = answered.locator(".differs");
      assert.equal(await differs.count(), 1, "what has stayed the same is not shown as a difference");
      assert.equal(await differs.textContent(), "done 0 → 1");
      // Once, and not again with what reacts to it.
      assert.deepEqual(await toasts(page), [told]);
    }));

  test("a transaction is undone; one whose rows have changed since says by what it is blocked", () =>
    visit(async (page) => {
      await add(page, "Polish the dish");
      await task(page, "Polish the dish");
      const insertion = await transaction(page, "title Polish the dish");
      await (await task(page, "Polish the dish")).locator("input").check();
      await countsAre(page, { Ada: [2, 1], Bo: [0, 1], Cleo: [1, 1] });
      const completion = await transaction(page, "done 0 → 1");
      await insertion.getByTestId("c-undo").click();
      const blocked = insertion.getByTestId("c-blocked");
      await blocked.filter({ hasText: "Blocked: tasks 6 has changed since, by #" }).waitFor();
      const number = await completion.getAttribute("data-tx");
      assert.equal(await blocked.getByTestId("c-blocker").textContent(), `#${number}`);

      await completion.getByTestId("c-undo").click();
      await countsAre(page, { Ada: [1, 2], Bo: [0, 1], Cleo: [1, 1] });
      await completion.getByTestId("c-undo").filter({ hasText: "Undone" }).waitFor();
      assert.ok(!(await (await task(page, "Polish the dish")).locator("input").isChecked()));
      await page.locator("[data-testid=c-tx][data-source=undo]").first().waitFor();
      await (await task(page, "Polish the dish")).getByRole("button").click();
      await page.getByTestId("c-task").filter({ hasText: "Polish the dish" }).waitFor({ state: "detached" });
    }));

  test("rules are edited and activated; those that do not compile are refused with their line", () =>
    visit(async (page) => {
      const original = await rules(page);
      await write(page, `${original}\nfunction before_insert(name, row\n`);
      await page.getByTestId("c-activate").click();
      const lines = original.split("\n").length + 2;
      await page
        .getByTestId("c-said")
        .filter({ hasText: `rules.lua, line ${lines}` })
        .waitFor();
      await page.getByTestId("error-note").waitFor();
      await add(page, "x");
      await page.getByTestId("c-refusal").filter({ hasText: REFUSAL }).waitFor();

      await write(page, 'print("loaded") function validate_insert() error("Nothing is new under the moon", 0) end');
      await page.getByTestId("c-activate").click();
      await page
        .getByTestId("c-version")
        .filter({ hasText: /^yours, of \d\d:\d\d:\d\d$/ })
        .waitFor();
      await page.getByTestId("c-printed").filter({ hasText: "loaded" }).waitFor();
      await add(page, "A title that was good");
      await page.getByTestId("c-refusal").filter({ hasText: "Nothing is new under the moon" }).waitFor();
      await (await task(page, "Charge the rover")).getByRole("button").click();
      await countsAre(page, { Ada: [1, 0], Bo: [0, 1], Cleo: [1, 1] });

      await page.getByTestId("c-original").click();
      await page.keyboard.press("Control+Enter");
      await page.getByTestId("c-activate").click();
      await page
        .getByTestId("c-version")
        .filter({ hasText: /^original$/ })
        .waitFor();
      await add(page, "A title that was good");
      await task(page, "A title that was good");
    }));

  test("a reload keeps everything where there are files, and begins anew where there are none", () =>
    visit(async (page) => {
      await add(page, "Survive a reload");
      await task(page, "Survive a reload");
      const isKept = await keeps(page);
      await page.reload();
      await isReady(page);
      assert.equal(await page.getByTestId("c-task").filter({ hasText: "Survive a reload" }).count(), isKept ? 1 : 0);
      assert.equal(await page.getByTestId("c-task").count(), isKept ? 6 : 5);
    }));

  test("a second tab is one click away, and shows what happens in the first where there are files", () =>
    visit(async (page, context) => {
      const [second] = await Promise.all([context.waitForEvent("page"), page.getByTestId("c-second").click()]);
      await isReady(second);
      await add(page, "Seen in both tabs");
      await task(page, "Seen in both tabs");
      if (await keeps(page)) {
        await (await task(second, "Seen in both tabs")).locator("input").check();
        await countsAre(page, { Ada: [2, 1], Bo: [0, 1], Cleo: [1, 1] });
        await isTold(page, "Ada has done “Seen in both tabs”");
        await write(second, 'function validate_insert() error("Said the other tab", 0) end');
        await second.getByTestId("c-activate").click();
        await page.getByTestId("c-version").filter({ hasText: "yours" }).waitFor();
        assert.match(await rules(page), /Said the other tab/);
        await add(page, "Seen by none");
        await page.getByTestId("c-refusal").filter({ hasText: "Said the other tab" }).waitFor();
      } else {
        await add(second, "Here alone");
        await task(second, "Here alone");
        assert.equal(await second.getByTestId("c-task").filter({ hasText: "Seen in both tabs" }).count(), 0);
      }
    }));

  test("it says where it is kept, how queries follow, and how long statements take", () =>
    visit(async (page) => {
      const facts = page.getByTestId("c-facts");
      const isKept = await keeps(page);
      const survives = await facts.locator("[data-fact=survives]").textContent();
      assert.match(survives ?? "", isKept ? /crash/ : /^Nothing/);
      assert.equal(await facts.locator("[data-fact=room]").count(), isKept ? 1 : 0);
      const rungs = () =>
        page.getByTestId("c-explanation").evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset["rung"]));
      assert.deepEqual(await rungs(), ["table", "keys", "columns", "commits"]);
      await add(page, "Be followed");
      const tasks = page.getByTestId("c-explanation").nth(1);
      await tasks.filter({ hasText: "commits decided by columns 0 · images 0 · keys 1 · again 0" }).waitFor();
      const timing = page.getByTestId("c-timing").filter({ hasText: "INSERT INTO tasks" });
      await timing.filter({ hasText: /INSERT INTO tasks2\d+\.\d\d\d+\.\d\d$/ }).waitFor();
    }));

  test("the database is exported and imported, and begun anew after a question", () =>
    visit(async (page) => {
      await add(page, "Travel in a file");
      await task(page, "Travel in a file");
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId("c-export").click()]);
      const bytes = await readFile(await file.path());
      assert.equal(bytes.subarray(0, 15).toString(), "SQLite format 3");
      await page.getByTestId("c-reset").click();
      await page.getByTestId("confirm-yes").click();
      await page.getByTestId("c-files-said").filter({ hasText: "as at your first visit" }).waitFor();
      await countsAre(page, { Ada: [1, 1], Bo: [0, 1], Cleo: [1, 1] });
      await until(async () => (await page.getByTestId("c-task").count()) === 5);
      const put = (name: string, buffer: Buffer) =>
        page.getByTestId("c-file").setInputFiles({ name, mimeType: "application/vnd.sqlite3", buffer });
      await put("tasks.db", bytes);
      await task(page, "Travel in a file");
      await countsAre(page, { Ada: [1, 2], Bo: [0, 1], Cleo: [1, 1] });
      await put("notes.txt", Buffer.from("no database"));
      await page.getByTestId("c-files-said").filter({ hasText: "Everything is as it was" }).waitFor();
      await add(page, "After all of that");
      await task(page, "After all of that");
    }));

  test("the log has pages of fifty transactions, and goes on while an older one is shown", () =>
    visit(async (page) => {
      const statement = "INSERT INTO tasks(title, user_id) VALUES ('One of many', 2);";
      for (let i = 0; i < 52; i++) await runSql(page, `${statement} -- ${i}`, "good");
      await until(async () => (await page.getByTestId("c-tx").count()) === 50);
      assert.equal(await text(page, "c-log-page"), "last 50");
      await page.getByTestId("c-log-older").click();
      await page
        .getByTestId("c-log-page")
        .filter({ hasText: /^51–5\d$/ })
        .waitFor();
      assert.ok(await page.getByTestId("c-log-older").isDisabled());
      const older = await numbers(page);
      await runSql(page, `${statement} -- one more`, "good");
      await countsAre(page, { Ada: [1, 1], Bo: [0, 54], Cleo: [1, 1] });
      assert.deepEqual(await numbers(page), older);
      await page.getByRole("button", { name: "Newer transactions" }).click();
      await page.getByTestId("c-log-page").filter({ hasText: "last 50" }).waitFor();
      assert.ok((await numbers(page)).every((number) => number > (older[0] as number)));
    }));

  test("the other views load nothing of it", () =>
    visit(async (page, context) => {
      const opened = requests.splice(0);
      assert.ok(opened.includes("/capsule.wasm") && opened.includes("/capsule.css"), opened.join());
      const other = await context.newPage();
      await other.goto(site.origin);
      await other.locator("body[data-state]:not([data-state=opening])").waitFor();
      const loaded = requests.splice(0);
      assert.ok(loaded.includes("/main.js"), loaded.join());
      assert.deepEqual(
        loaded.filter((path) => /capsule|view-/.test(path)),
        [],
      );
      await other.getByTestId("view-capsule").click();
      await isReady(other);
      await other.getByTestId("view-programs").click();
      await other.getByTestId("editor").waitFor();
      await page.bringToFront();
    }));

  test("everything can be done by keyboard, in the order in which it is read", () =>
    visit(async (page) => {
      await page.getByTestId("reload").focus();
      const order = ["c-second", "c-title", "c-user", "c-add", "c-task", "c-rules", "c-sql", "c-log"];
      const reached: string[] = [];
      for (let i = 0; i < 60 && reached.at(-1) !== "c-undo"; i++) {
        await page.keyboard.press("Tab");
        const id = await focused(page);
        if (id === "c-rules") await page.keyboard.press("Escape");
        if (id !== reached.at(-1)) reached.push(id);
        await until(() => isOutlined(page), `an outline of ${id}`);
      }
      const places = order.map((id) => reached.findIndex((other) => other === id));
      assert.ok(!places.includes(-1), reached.join());
      assert.deepEqual(
        places,
        [...places].sort((a, b) => a - b),
      );
      assert.equal(reached.at(-1), "c-undo", reached.join());

      await page.getByTestId("c-title").focus();
      await page.keyboard.type("By keyboard");
      await page.keyboard.press("Enter");
      const item = await task(page, "By keyboard");
      assert.equal(await focused(page), "c-title");
      await item.locator("input").focus();
      await page.keyboard.press("Space");
      await countsAre(page, { Ada: [2, 1], Bo: [0, 1], Cleo: [1, 1] });
      assert.ok(await item.locator("input").evaluate((box) => box === document.activeElement), "focus stays");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.getByTestId("c-task").filter({ hasText: "By keyboard" }).waitFor({ state: "detached" });
      assert.equal(await focused(page), "c-list");
      await page.getByTestId("c-sql").focus();
      await page.keyboard.press("Control+Enter");
      await page.locator("[data-testid=c-answer][data-kind=bad]").waitFor();
    }));

  for (const colorScheme of ["dark", "light"] as const) {
    test(`text can be read: contrast in ${colorScheme}`, () =>
      visit(
        async (page) => {
          await fillScreen(page);
          assert.deepEqual(await page.evaluate(faint), []);
        },
        { colorScheme },
      ));
  }

  for (const width of [360, 768, 1280, 1700]) {
    test(`at ${width} pixels nothing is wider than the window, and nothing moves when rows change`, () =>
      visit(
        async (page) => {
          const tops = () =>
            page.evaluate(() =>
              [...document.querySelectorAll(".pane h2")].map((title) => title.getBoundingClientRect().y + scrollY),
            );
          const before = await tops();
          await add(page, "Stay where you are");
          await task(page, "Stay where you are");
          await add(page, "x");
          await page.getByTestId("c-refusal").filter({ hasText: REFUSAL }).waitFor();
          assert.deepEqual((await tops()).slice(0, -1), before.slice(0, -1));
          await fillScreen(page);
          const wide = await page.evaluate(() => {
            const out = [...document.querySelectorAll("#capsule :is(button, p, input, a, section)")].filter(
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

/** Says something in every place that may say something. */
async function fillScreen(page: Page): Promise<void> {
  await add(page, "y".repeat(200));
  await (await task(page, "y".repeat(200))).locator("input").check();
  await isTold(page, `Ada has done “${"y".repeat(200)}”`);
  await page.getByTestId("c-cause").nth(1).waitFor();
  await add(page, "x");
  await page.getByTestId("c-refusal").filter({ hasText: REFUSAL }).waitFor();
  await runExample(page, "Insert", "bad");
  const last = page.getByTestId("c-undo").last();
  await last.click();
  await page.getByTestId("c-blocked").filter({ hasText: "Blocked" }).waitFor();
}

/** Returns the texts of the view whose contrast is less than WCAG's AA asks for. Runs in the page. */
function faint(): string[] {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  const over = (colors: string[]): number[] => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const luminance = (color: number[]) => {
    const [r = 0, g = 0, b = 0] = color.map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found: string[] = [];
  for (const element of document.querySelectorAll<HTMLElement>("#capsule *, #capsule")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim() !== "");
    if (!own || element.closest(":disabled, .visually-hidden") !== null || element.offsetParent === null) continue;
    const grounds: string[] = [];
    for (let at: HTMLElement | null = element; at !== null; at = at.parentElement)
      grounds.unshift(getComputedStyle(at).backgroundColor);
    const [ground, ink] = [over(grounds), over([...grounds, getComputedStyle(element).color])].map(luminance) as [
      number,
      number,
    ];
    const contrast = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    if (contrast < 4.5)
      found.push(`${contrast.toFixed(2)}: ${element.className} "${element.textContent?.slice(0, 40)}"`);
  }
  return [...new Set(found)];
}

/** Keeps the text of each short message, however soon it goes. Runs in the page, before its own scripts. */
function recordToasts(): void {
  const toasts: string[] = [];
  Object.assign(globalThis, { toasts });
  new MutationObserver((records) => {
    for (const node of records.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (node instanceof HTMLElement && node.dataset["testid"] === "c-toast") toasts.push(node.textContent ?? "");
    }
  }).observe(document, { childList: true, subtree: true });
}

function toasts(page: Page): Promise<string[]> {
  return page.evaluate(() => (globalThis as unknown as { toasts: string[] }).toasts);
}

async function isTold(page: Page, text: string): Promise<void> {
  await until(async () => (await toasts(page)).includes(text), text);
}

async function isReady(page: Page): Promise<void> {
  await page.locator("[data-testid=capsule][data-state=ready]").waitFor();
}

/** Says whether the database outlives the page, as the page shows it. */
async function keeps(page: Page): Promise<boolean> {
  const files = await page.getByTestId("c-kept").getAttribute("data-files");
  assert.ok(files === "opfs" || files === "memory", String(files));
  return files === "opfs";
}

async function add(page: Page, title: string): Promise<void> {
  await page.getByTestId("c-title").fill(title);
  await page.getByTestId("c-add").click();
}

async function task(page: Page, title: string): Promise<Locator> {
  const item = page.getByTestId("c-task").filter({ hasText: title });
  await item.waitFor();
  return item;
}

function newest(page: Page): Locator {
  return page.getByTestId("c-tx").first();
}

/** The newest transaction that shows this. */
async function transaction(page: Page, hasText: string): Promise<Locator> {
  const found = page.getByTestId("c-tx").filter({ hasText }).first();
  await found.waitFor();
  const number = await found.getAttribute("data-tx");
  return page.locator(`[data-testid=c-tx][data-tx="${number}"]`);
}

async function numbers(page: Page): Promise<number[]> {
  return page.getByTestId("c-tx").evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset["tx"])));
}

/** Number of tasks of each user: done, and open. */
async function counts(page: Page): Promise<Record<string, [number, number]>> {
  const rows = await page.getByTestId("c-count").evaluateAll((rows) =>
    rows.map((row) => {
      const { done, open } = (row as HTMLElement).dataset;
      return [row.querySelector(".name")?.textContent ?? "", [Number(done), Number(open)]] as const;
    }),
  );
  return Object.fromEntries(rows.map(([name, numbers]) => [name, [...numbers]])) as Record<string, [number, number]>;
}

async function countsAre(page: Page, expected: Record<string, [number, number]>): Promise<void> {
  const text = JSON.stringify(expected);
  await until(async () => JSON.stringify(await counts(page)) === text, text);
}

async function runExample(page: Page, name: string, kind: "good" | "bad"): Promise<void> {
  await page.getByTestId("c-answer").evaluate((answer) => delete (answer as HTMLElement).dataset["kind"]);
  await page.getByTestId("c-examples").getByRole("button", { name, exact: true }).click();
  await page.locator(`[data-testid=c-answer][data-kind=${kind}]`).waitFor();
}

async function runSql(page: Page, sql: string, kind: "good" | "bad"): Promise<void> {
  await page.getByTestId("c-answer").evaluate((answer) => delete (answer as HTMLElement).dataset["kind"]);
  await page.getByTestId("c-sql").fill(sql);
  await page.getByTestId("c-sql-run").click();
  await page.locator(`[data-testid=c-answer][data-kind=${kind}]`).waitFor();
}

/** Replaces what is in the editor. */
async function write(page: Page, source: string): Promise<void> {
  await page.getByTestId("c-rules").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(source);
}

/** Text of the editor, of which only a part is in the document. */
async function rules(page: Page): Promise<string> {
  await page
    .getByTestId("c-rules")
    .evaluate((content) => content.closest<HTMLElement>("#c-editor")!.style.setProperty("height", "4000px"));
  const lines = page.getByTestId("c-rules").locator(".cm-line");
  await until(async () => (await lines.count()) > 0);
  const text = (await lines.allTextContents()).join("\n");
  await page
    .getByTestId("c-rules")
    .evaluate((content) => content.closest<HTMLElement>("#c-editor")!.style.removeProperty("height"));
  return text;
}

async function focused(page: Page): Promise<string> {
  return page.evaluate(
    () => document.activeElement?.closest<HTMLElement>("[data-testid]")?.dataset["testid"] ?? "nothing",
  );
}

/** Says whether what has the focus shows it: by an outline of its own, or as an editor, by its cursor. */
async function isOutlined(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const active = document.activeElement!;
    return active.closest(".cm-focused") !== null || getComputedStyle(active).outlineStyle !== "none";
  });
}

async function text(page: Page, id: string): Promise<string> {
  return (await page.getByTestId(id).textContent()) ?? "";
}
