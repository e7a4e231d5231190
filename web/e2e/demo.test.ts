/** Tests of the demo page as a visitor uses it, built anew into .cache/ and served from there. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { openDemoSite, type DemoSite } from "./demo_site.ts";
import { HANG_MS, until } from "../test/time.ts";

suite("the demo page", () => {
  let site: DemoSite;
  let browser: Browser;
  let origin: string;
  /** Errors of any page: the tests expect none. */
  let complaints: string[];

  before(async () => {
    site = await openDemoSite("demo");
    ({ browser, origin } = site);
  });
  after(() => site?.close());

  /** A visitor with a storage of their own. */
  async function visit(body: (page: Page, context: BrowserContext) => Promise<void>, width = 1440): Promise<void> {
    const context = await browser.newContext({ viewport: { width, height: 900 }, reducedMotion: "reduce" });
    context.setDefaultTimeout(HANG_MS);
    complaints = [];
    try {
      await body(await open(context), context);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  async function open(context: BrowserContext, state = "ready"): Promise<Page> {
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    page.on("request", (request) => {
      if (!request.url().startsWith(`${origin}/`)) complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(origin);
    await page.locator(`body[data-state=${state}]`).waitFor();
    return page;
  }

  test("the counter goes on after a reload", () =>
    visit(async (page) => {
      const phases = await page.evaluateHandle(() => {
        const seen: (string | undefined)[] = [];
        const state = document.querySelector<HTMLElement>("[data-testid=commit-state]")!;
        new MutationObserver(() => seen.push(state.dataset["phase"])).observe(state, {
          attributeFilter: ["data-phase"],
        });
        return seen;
      });
      await run(page, "counter");
      await page.waitForFunction((seen) => seen.join() === "accepted,committed", phases);
      await run(page, "counter");
      assert.match(await text(page, "output"), /1 run before this one/);
      assert.deepEqual(await results(page), ["2integer", "1.5float"]);
      await committed(page);
      await page.getByTestId("reload").click();
      await page.getByTestId("restored").filter({ hasText: "2 tables, 5 entries restored" }).waitFor();
      await run(page, "counter");
      assert.match(await text(page, "output"), /2 runs before this one/);
      assert.deepEqual(await results(page), ["3integer", "2.0float"]);
    }));

  test("every program of the list runs, and none but the one about errors fails", () =>
    visit(async (page) => {
      const ids = await page
        .getByTestId("programs")
        .locator("button")
        .evaluateAll((buttons) => buttons.map((button) => button.dataset["id"]!));
      assert.deepEqual(ids.slice(0, 4), ["counter", "todo-list", "data-processing", "state-machine"]);
      for (const id of ids) {
        await run(page, id);
        assert.equal(await page.getByTestId("error").count(), id === "error" ? 1 : 0, id);
        assert.match(await text(page, "elapsed"), /^[\d.]+ m?s$/, id);
      }
      await committed(page);
    }));

  test("a program waits for the page, and its parts for each other", () =>
    visit(async (page) => {
      await run(page, "waiting");
      const output = await text(page, "output");
      const order = [
        "asking the page",
        "its title is Perilune",
        "quick is done",
        "slow is done",
        "is another site",
        "gave up",
      ];
      const places = order.map((part) => output.indexOf(part));
      assert.deepEqual(
        places,
        [...places].sort((a, b) => a - b),
        output,
      );
      assert.ok(!places.includes(-1), output);
      assert.ok(!output.includes("too slow is done"), output);
      assert.deepEqual(await results(page), ['"slow"string', '"quick"string', '"Error"string']);
    }));

  test("a thousand entries of mixed types can be seen, each with its type", () =>
    visit(async (page) => {
      await run(page, "mixed-types");
      assert.equal(await text(page, "table-count"), "1,000 entries");
      const look = async () => [await rows(page, 8), await text(page, "page-range")];
      const first = await look();
      assert.deepEqual(first, [
        [
          ["1integer", "1.0float"],
          ["2.5float", "trueboolean"],
          ['"3"', '"value 3"string'],
          ['"key 4"', "ff 00 04string, 3 bytes"],
          ["5integer", "{ half = 2.5, list = {…}, n = 5 }table of 3"],
          ["6.5float", '"line\\nbreak, \\"quotes\\", café, \u{1f315}6"string'],
          ['"7"', "9223372036854775800integer"],
          ['"key 8"', "8integer"],
        ],
        "1–50 of 1,000",
      ]);
      const tree = page.getByTestId("row").nth(4).locator("details");
      await tree.locator("summary").click();
      assert.equal(await tree.locator("li").first().innerText(), "half = 2.5float");

      await page.getByTestId("page-last").click();
      await page.getByTestId("page-range").filter({ hasText: "951–1,000 of 1,000" }).waitFor();
      await page.getByTestId("find").fill("key 100");
      await page.getByTestId("page-range").filter({ hasText: "1–2 of 2" }).waitFor();
      assert.deepEqual(
        (await rows(page, 2)).map(([key]) => key),
        ['"key 100"', '"key 1000"'],
      );

      await committed(page);
      await page.getByTestId("reload").click();
      await page.getByTestId("restored").filter({ hasText: "1,000 entries restored" }).waitFor();
      await page.getByTestId("row").nth(49).waitFor();
      assert.deepEqual(await look(), first);
    }));

  test("an error shows its kind, its message, its line and a traceback; the VM goes on", () =>
    visit(async (page) => {
      await write(page, "local function f(x)\n  return x.y.z\nend\n\nprint('before')\nf({})");
      await run(page);
      assert.equal(await text(page, "error-name"), "LuaRuntimeError");
      assert.equal(await text(page, "error-kind"), "runtime");
      assert.equal(await text(page, "error-message"), "program:2: attempt to index a nil value (field 'y')");
      assert.deepEqual((await text(page, "traceback")).split("\n"), [
        "stack traceback:",
        "\tprogram:2: in local 'f'",
        "\tprogram:6: in main chunk",
      ]);
      assert.equal((await text(page, "output")).trim(), "before");
      assert.equal((await text(page, "error-line")).trim(), "return x.y.z");

      await write(page, "print('one')\nlocal x = = 2");
      assert.equal(await page.getByTestId("error-line").count(), 0, "editing takes the mark away");
      await run(page);
      assert.equal(await text(page, "error-kind"), "syntax");
      assert.equal((await text(page, "error-line")).trim(), "local x = = 2");

      await write(page, "error({ code = 42, ratio = 0.5 })");
      await run(page);
      assert.match(await page.getByTestId("error").innerText(), /code = 42/);

      await write(page, "return 'still here', 1, 1.0, '\\xff\\0', nil");
      await run(page);
      assert.deepEqual(await results(page), [
        '"still here"string',
        "1integer",
        "1.0float",
        "ff 00string, 2 bytes",
        "nil",
      ]);
    }));

  test("the memory chart follows runs and the garbage collector", () =>
    visit(async (page) => {
      const chart = page.getByTestId("memory-chart");
      const lua = async () => Number(await chart.getAttribute("data-lua"));
      const drawn = () => chart.locator(".lua-line").getAttribute("points");
      const [before, lineBefore] = [await lua(), await drawn()];
      await write(page, "hoard = {} for i = 1, 5000 do hoard[i] = { i } end");
      await run(page);
      const full = await lua();
      assert.ok(full > before + 200_000, `${before} to ${full}`);
      assert.notEqual(await drawn(), lineBefore);

      await write(page, "hoard = nil");
      await run(page);
      await page.getByTestId("gc").click();
      await page.locator("[data-testid=memory-chart][data-samples='4']").waitFor();
      assert.ok((await lua()) < full - 200_000);
      assert.match((await chart.getAttribute("aria-label")) ?? "", /Memory over 2 runs.*of 2 MiB/);
    }));

  test("a table can be cleared and dropped, after a question", () =>
    visit(async (page) => {
      await run(page, "counter");
      await page.getByTestId("table-counter").click();
      await page.getByTestId("clear").click();
      await page.getByRole("button", { name: "Keep it" }).click();
      assert.equal(await text(page, "table-count"), "3 entries");
      await page.getByTestId("clear").click();
      await page.getByTestId("confirm-yes").click();
      await page.getByTestId("table-count").filter({ hasText: "0 entries" }).waitFor();
      await page.getByTestId("drop").click();
      await page.getByTestId("confirm-yes").click();
      await page.getByTestId("table-counter").waitFor({ state: "detached" });
      assert.equal(await text(page, "tables-total"), "1");
    }));

  test("a second tab is told that the first has the storage, and can go on without", () =>
    visit(async (page, context) => {
      await run(page, "counter");
      const second = await open(context, "trouble");
      assert.match(await text(second, "trouble"), /open in another tab/);
      await second.getByTestId("use-memory").click();
      await second.locator("body[data-state=ready]").waitFor();
      await run(second, "counter");
      assert.match(await text(second, "output"), /first run/);
      assert.equal(await second.getByTestId("commit-state").getAttribute("data-phase"), "none");
      await second.close();

      const third = await open(context, "trouble");
      await page.close();
      await third.getByTestId("retry").click();
      await third.getByTestId("restored").filter({ hasText: "restored" }).waitFor();
    }));

  test("a program that never ends is stopped, and what was committed is still there", () =>
    visit(async (page) => {
      await run(page, "counter");
      await committed(page);
      await write(page, "ext.table('counter').runs = 1000\nwhile true do print('x') end");
      await page.getByTestId("run").click();
      await page.getByTestId("stop").click();
      await page.getByTestId("restored").filter({ hasText: "2 tables, 4 entries restored" }).waitFor();
      await write(page, "return ext.table('counter').runs");
      await run(page);
      assert.deepEqual(await results(page), ["1integer"]);
    }));

  test("what was written in the editor is there after a reload", () =>
    visit(async (page) => {
      await write(page, "return 'mine'");
      await page.reload();
      await page.locator("body[data-state=ready]").waitFor();
      await run(page);
      assert.deepEqual(await results(page), ['"mine"string']);
      await page.getByTestId("revert").click();
      assert.match(await text(page, "editor"), /counter\.lua/);
    }));

  test("everything can be reached by keyboard, and the editor can be left", () =>
    visit(async (page) => {
      const focus = () =>
        page.evaluate(() => document.activeElement?.closest<HTMLElement>("[data-testid]")?.dataset["testid"]);
      await page.getByTestId("editor").focus();
      await page.keyboard.press("Tab");
      assert.equal(await focus(), "editor", "Tab indents");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Tab");
      assert.equal(await focus(), "output");
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Control+Enter");
      await page.locator("#run-status[data-state=ok]").waitFor();
    }));

  for (const width of [360, 390, 768, 1024, 1280]) {
    test(`at ${width} pixels nothing is wider than the window`, () =>
      visit(async (page) => {
        for (const id of ["data-processing", "mixed-types", "error"]) {
          await run(page, id);
          const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          assert.ok(content! <= window!, `${id}: ${content} > ${window}`);
        }
      }, width));
  }
});

/** Opens a program of the list, or takes what is in the editor, and runs it to its end. */
async function run(page: Page, id?: string): Promise<void> {
  if (id !== undefined) await page.getByTestId(`program-${id}`).click();
  const ready = page.locator("body[data-state=ready]");
  await ready.waitFor();
  // Before the key press is over, the page has left this state.
  await page.getByTestId("editor").press("Control+Enter");
  await ready.waitFor();
}

/**
 * Replaces the text of the editor, and waits until the editor has seen it: what is put into a page from
 * outside reaches it a moment later, or not at all when it lays out its lines in that very moment; then it is
 * put there again. The draft is written with every change that it has seen.
 */
async function write(page: Page, source: string): Promise<void> {
  const seen = (text: string) => {
    const drafts: Record<string, string> = JSON.parse(localStorage.getItem("perilune-demo.drafts") ?? "{}");
    return Object.values(drafts).includes(text);
  };
  await until(async () => {
    await page.getByTestId("editor").fill(source);
    return page.waitForFunction(seen, source, { timeout: 3000 }).then(
      () => true,
      () => false,
    );
  });
}

async function committed(page: Page): Promise<void> {
  await page.locator("[data-testid=commit-state][data-phase=committed]").waitFor();
}

async function text(page: Page, id: string): Promise<string> {
  return (await page.getByTestId(id).textContent()) ?? "";
}

function results(page: Page): Promise<string[]> {
  return page.getByTestId("result").allTextContents();
}

function rows(page: Page, count: number): Promise<string[][]> {
  return page
    .getByTestId("row")
    .evaluateAll(
      (all, n) => all.slice(0, n).map((row) => [...row.children].map((cell) => cell.textContent ?? "")),
      count,
    );
}
