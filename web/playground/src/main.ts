/** Entry of the page: three views, of which one is shown. */
import { App } from "./app.ts";
import { Living } from "./living/living.ts";
import { byId, el } from "./view/dom.ts";

type View = "programs" | "living" | "capsule";

const VIEWS: Record<string, View> = { "#/tide-pool": "living", "#/capsule": "capsule" };
const SKIP_TO: Record<View, string> = { programs: "editor-host", living: "strip", capsule: "c-title" };

const app = new App();
const living = new Living();
/** The programs, which take their storage when they are shown for the first time: other tabs may want it. */
let programs: Promise<void> | undefined;
/** The view that is loaded when it is opened for the first time. */
let capsule: Promise<void> | undefined;

/** Shows the view that the address asks for. */
function route(): void {
  const view = VIEWS[location.hash] ?? "programs";
  document.body.dataset["view"] = view;
  for (const name of ["programs", "living", "capsule"]) {
    if (name === view) byId(`view-${name}`).setAttribute("aria-current", "page");
    else byId(`view-${name}`).removeAttribute("aria-current");
  }
  byId("programs-view").hidden = view !== "programs";
  byId("living").hidden = view !== "living";
  byId("capsule").hidden = view !== "capsule";
  if (view === "living") living.show();
  else living.hide();
  if (view === "programs") programs ??= app.start();
  if (view === "capsule") capsule ??= openCapsule();
}

/** Loads the code of the capsule, and opens its view. */
async function openCapsule(): Promise<void> {
  try {
    const { openView } = await import("./capsule/view.ts");
    await openView();
  } catch (error) {
    capsule = undefined;
    byId("capsule").replaceChildren(
      el("p", { class: "noscript", role: "alert" }, `It could not be loaded: ${String(error)}`),
    );
  }
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById(SKIP_TO[VIEWS[location.hash] ?? "programs"])?.focus();
});
byId("reload").addEventListener("click", () => {
  void Promise.all([app.flush(), living.flush()]).then(() => location.reload());
});
addEventListener("hashchange", route);
route();
