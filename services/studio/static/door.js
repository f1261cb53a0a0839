/* A session that ends while somebody works: they stay where they are, sign in in another tab, and go on. */
import { toast } from "./toast.js";

const FIELDS = "input:not([type=checkbox], [type=radio]), textarea, [contenteditable]";
const BY_ITSELF = "[hx-trigger*=every], [hx-trigger*=load]";
const dialog = document.getElementById("signed-out");
const others = new BroadcastChannel("rushes-door");
let isKnown = false;

/** Say that the session has ended; for islands whose own requests were answered with 401. What a page asks by itself
    says it once, and never to somebody who is typing: the keys would go into the dialog. */
export function signedOut(byItself = false) {
  if (!dialog || dialog.open || (byItself && (isKnown || document.activeElement?.matches(FIELDS)))) return;
  isKnown = true;
  dialog.showModal();
}

/** Say to all other tabs that this browser is signed in. */
export function signedIn() {
  others.postMessage("in");
}

document.addEventListener("signed-out", ({ target }) => signedOut(target.matches?.(BY_ITSELF)));
dialog?.querySelector("[data-close]").addEventListener("click", () => dialog.close());
others.addEventListener("message", () => {
  isKnown = false;
  document.dispatchEvent(new Event("signed-in"));
  if (!dialog?.open) return;
  dialog.close();
  toast("You are signed in again. Go on where you were.");
});
