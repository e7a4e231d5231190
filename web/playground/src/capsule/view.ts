/**
 * View of the capsule: a list of tasks whose rules are in its database. Everything of it is loaded when it is
 * opened for the first time, its markup and its styles too.
 */
import type { GlyphCase } from "perilune/capsule";
import { byId, el } from "../view/dom.ts";
import { COUNTS_SQL, Counts } from "./counts.ts";
import { furnish, openTasks } from "./database.ts";
import { Facts } from "./facts.ts";
import { EventLog, LOG_SQL } from "./log.ts";
import { problemOf } from "./problem.ts";
import { Rules } from "./rules.ts";
import { SqlBox } from "./sql.ts";
import { TASKS_SQL, Tasks, type Task } from "./tasks.ts";
import { Toasts } from "./toast.ts";
import { Transfer } from "./transfer.ts";
import markup from "./view.html";

type State = "opening" | "ready" | "trouble";

/** Buttons that need the database. */
const BUTTONS = ["c-add", "c-sql-run", "c-export", "c-import", "c-reset"];

/** Puts the view into its place, and opens it. */
export async function openView(): Promise<void> {
  const styles = el("link", { rel: "stylesheet", href: new URL("./capsule.css", import.meta.url).href });
  // Shown with its styles, or without if they cannot be had.
  await new Promise((resolve) => {
    styles.addEventListener("load", resolve);
    styles.addEventListener("error", resolve);
    document.head.append(styles);
  });
  await open(false);
}

/** Builds the view anew, and opens the database. */
async function open(memory: boolean): Promise<void> {
  byId("capsule").innerHTML = markup;
  const mac = /Mac|iPhone|iPad/.test(navigator.userAgent);
  byId("c-keys").textContent = mac ? "\u2318 \u21a9" : "Ctrl \u21a9";
  enter("opening");
  const rules = new Rules();
  const db = openTasks(memory, { stdout: (text) => rules.print(text) });
  db.on("error", (error) => rules.complain(problemOf(error)));
  db.on("warning", ({ message }) => (byId("c-kept").title = message));
  try {
    await furnish(db);
    await attach(db, rules);
    enter("ready");
  } catch (error) {
    await db.close().catch(() => {});
    enter("trouble");
    complain(error);
  }
}

/** Makes the parts of the view, which follow the database from then on. */
async function attach(db: GlyphCase, rules: Rules): Promise<void> {
  await rules.follow(db);
  const tasks = new Tasks(db, rules.goTo);
  const counts = new Counts(db, (rows) => tasks.users(rows));
  const log = new EventLog(db);
  const watcher = db.watch("tasks", "done = 1");
  const facts = new Facts(db, [
    { name: "Watcher", about: 'db.watch("tasks", "done = 1")', explain: () => watcher.explain() },
    { name: "Tasks", about: TASKS_SQL, explain: () => tasks.live.explain() },
    { name: "Per user", about: COUNTS_SQL, explain: () => counts.live.explain() },
    { name: "Events", about: LOG_SQL, explain: () => log.live.explain() },
  ]);
  const refresh = () => void facts.refresh();
  new SqlBox(db, { goTo: rules.goTo, onRun: refresh });
  new Transfer(db);
  const toasts = new Toasts();
  db.getEventBus().on("task:done", ({ title, user_id }: Task) => {
    toasts.show(`${tasks.nameOf(user_id)} has done “${title}”`);
  });
  await Promise.all([tasks.live.ready, counts.live.ready, log.live.ready, watcher.ready]);
  for (const live of [counts.live, tasks.live]) live.subscribe(refresh);
  db.subscribe(watcher, refresh);
  await facts.refresh();
}

function enter(state: State): void {
  byId("capsule").dataset["state"] = state;
  byId("c-panes").hidden = state === "trouble";
  for (const id of BUTTONS) byId<HTMLButtonElement>(id).disabled = state !== "ready";
}

/** Shows why there is no database, and the ways out. */
function complain(error: unknown): void {
  const { kind, message } = problemOf(error);
  const panel = byId("c-trouble");
  panel.hidden = false;
  panel.dataset["kind"] = kind;
  const button = (label: string, look: string, memory: boolean) =>
    el("button", { type: "button", class: look, onclick: () => void open(memory) }, label);
  panel.replaceChildren(
    el("h3", {}, kind === "locked" ? "Another tab has the database, and does not answer" : "It could not be opened"),
    el("p", {}, "You can try again, or go on with a database that lasts as long as this page."),
    el("p", { class: "reason" }, el("code", {}, `${kind}: ${message}`)),
    el("div", { class: "actions" }, button("Try again", "primary", false), button("Go on in memory", "quiet", true)),
  );
}
