/** Dialog that asks before something is deleted. */
import { byId } from "./dom.ts";

/** Asks; resolves to true if the answer was yes. */
export function confirmed(question: string, detail: string, action: string): Promise<boolean> {
  const dialog = byId<HTMLDialogElement>("confirm");
  byId("confirm-question").textContent = question;
  byId("confirm-detail").textContent = detail;
  byId("confirm-yes").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
