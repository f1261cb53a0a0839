/* A session that ends while somebody works: they stay where they are, sign in in another tab, and go on. */
import { toast } from "./toast.js";

const dialog = document.getElementById("signed-out");
const others = new BroadcastChannel("rushes-door");

/** Say that the session has ended; for islands whose own requests were answered with 401. */
export function signedOut() {
  if (dialog && !dialog.open) dialog.showModal();
}

/** Say to all other tabs that this browser is signed in. */
export function signedIn() {
  others.postMessage("in");
}

document.addEventListener("signed-out", signedOut);
dialog?.querySelector("[data-close]").addEventListener("click", () => dialog.close());
others.addEventListener("message", () => {
  if (!dialog?.open) return;
  dialog.close();
  toast("You are signed in again. Do again what you did last.");
});
