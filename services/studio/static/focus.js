/* Focus is never lost: when what had it is taken away, what stands in its place has it, else what had it before. */
const REACHED = "a[href], button:enabled, summary";
const WHOLE = ["main", "editor", "toasts"];
const MOST = 8;
/** What had the focus, the newest first: each element, and the ids around it. */
let trail = [];

const there = (it) => it?.isConnected && !it.disabled && it.checkVisibility({ visibilityProperty: true });

function enter({ target }) {
  const ids = [];
  for (let up = target; up; up = up.parentElement) if (up.id && !WHOLE.includes(up.id)) ids.push(up.id);
  trail = [{ it: target, ids }, ...trail.filter((one) => one.it !== target)].slice(0, MOST);
}

/** Who leaves a field on purpose wants to be nowhere; what is taken away or switched off is left by nobody. */
function leave({ target, relatedTarget }) {
  if (!relatedTarget) queueMicrotask(() => { if (there(target) && document.hasFocus()) trail = []; });
}

/** In the place of one that is gone: what is called as it was, else the first that can be reached around it. */
function heir({ it, ids }) {
  if (there(it)) return it;
  for (const around of ids.map((id) => document.getElementById(id)).filter(there)) {
    if (around.matches(REACHED) || around.tabIndex >= 0) return around;
    const inside = [...around.querySelectorAll(REACHED)].filter(there);
    const like = inside.find((one) => one.name === it.name && one.textContent.trim() === it.textContent.trim());
    if (inside.length) return like ?? inside[0];
  }
}

new MutationObserver((changes) => {
  const [newest] = trail, at = document.activeElement;
  if (!newest || (at !== document.body && at !== newest.it)) return;
  if (at === newest.it && (at.disabled || !changes.some((one) => one.type === "attributes") || there(at))) return;
  if (newest.it.isConnected && newest.it.disabled) return;
  const next = trail.map(heir).find(Boolean) ?? document.getElementById("main");
  next?.focus({ preventScroll: true });
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["disabled", "hidden", "open"] });
document.addEventListener("focusin", enter);
document.addEventListener("focusout", leave);
