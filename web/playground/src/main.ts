/** Entry of the page: two views, each with a worker of its own, of which one is shown. */
import { App } from "./app.ts";
import { Living } from "./living/living.ts";
import { byId } from "./view/dom.ts";

const app = new App();
const living = new Living();

/** Shows the view that the address asks for. */
function route(): void {
  const view = location.hash === "#/tide-pool" ? "living" : "programs";
  document.body.dataset["view"] = view;
  for (const name of ["programs", "living"]) {
    if (name === view) byId(`view-${name}`).setAttribute("aria-current", "page");
    else byId(`view-${name}`).removeAttribute("aria-current");
  }
  byId("programs-view").hidden = view !== "programs";
  byId("living").hidden = view !== "living";
  if (view === "living") living.show();
  else living.hide();
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId(document.body.dataset["view"] === "living" ? "strip" : "editor-host").focus();
});
byId("reload").addEventListener("click", () => {
  void Promise.all([app.flush(), living.flush()]).then(() => location.reload());
});
addEventListener("hashchange", route);
route();
void app.start();
