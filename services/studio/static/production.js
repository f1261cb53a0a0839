/* The production page: verbs without leaving, the drawer, the reel and keys; and what the feed is up to. */
import { signedOut } from "./door.js";
import { toast } from "./toast.js";

const $ = (id) => document.getElementById(id);
const HTMX = { "HX-Request": "true" };
const place = () => location.pathname + location.search;
let shown = place();

/** Post a form and say what came of it; a refusal stays on the page. */
async function turn(form) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => button.setAttribute("aria-disabled", "true"));
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: HTMX });
    if (answer.status === 401) return signedOut();
    const text = await answer.text();
    $("answer").innerHTML = answer.ok ? "" : text;
    if (answer.ok) toast(text);
  } catch {
    toast("The studio is away: nothing was done. Try again in a moment.");
  } finally {
    buttons.forEach((button) => button.removeAttribute("aria-disabled"));
  }
}

/** Show a job in the drawer, at an address of its own. */
async function open(href, focus) {
  await htmx.ajax("GET", href, { target: "#drawer", swap: "outerHTML", headers: { "HX-Request-Type": "partial" } });
  if (focus) $("drawer")?.focus();
}

function close() {
  const row = $($("drawer").dataset.job);
  const aside = document.createElement("aside");
  aside.id = "drawer";
  aside.hidden = true;
  $("drawer").replaceWith(aside);
  const here = new URL(location.href);
  here.searchParams.delete("job");
  history.pushState(history.state, "", here.pathname + here.search);
  shown = place();
  row?.querySelector("a")?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-verb]");
  if (!form) return;
  event.preventDefault();
  if (!form.querySelector("button[aria-disabled]")) turn(form);
});
document.addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest("a[data-drawer], a[data-drawer-closes]");
  if (!link) return;
  event.preventDefault();
  if (link.dataset.drawerCloses !== undefined) return close();
  const here = new URL(link.href);
  const show = new URL(location.href).searchParams.get("show");
  if (show) here.searchParams.set("show", show);
  history.pushState(history.state, "", here.pathname + here.search);
  shown = place();
  link.ariaBusy = "true";
  open(here.href, true).finally(() => { link.ariaBusy = null; });
});
addEventListener("popstate", () => { if (shown !== place()) location.reload(); });

/* A job that has moved is shown anew, unless its clip is being looked at. */
document.addEventListener("htmx:after:swap", () => {
  const drawer = $("drawer");
  const row = drawer?.dataset.job && $(drawer.dataset.job);
  if (row && row.dataset.version !== drawer.dataset.version && !drawer.querySelector("video, input:focus")) {
    drawer.dataset.version = row.dataset.version;
    open(location.href, false);
  }
});

/* The reel is one stop of the Tab key; arrows walk it. */
const frames = () => [...document.querySelectorAll("#reel a")];
$("reel")?.querySelector("a")?.setAttribute("tabindex", "0");
$("reel")?.addEventListener("keydown", (event) => {
  const all = frames();
  const here = all.indexOf(document.activeElement);
  const to = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || !all[to]) return;
  event.preventDefault();
  all[to].focus();
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, dialog, video") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !$("drawer")?.hidden) return close();
  if (localStorage.getItem("keys") === "off") return;
  const row = document.activeElement.closest?.(".line");
  if (/^[1-6]$/.test(event.key)) document.querySelectorAll("#filters a")[event.key - 1]?.click();
  else if (event.key === "o") row?.querySelector("a[data-drawer]")?.click();
  else if (event.key === "s") row?.querySelector("form[action$='/stop'] button")?.click();
});

/* The feed: when the studio itself is away, the page says so and keeps what it shows. */
function away(isAway) {
  if (!$("away")) return;
  if (!isAway) return $("away").querySelector("[data-studio]")?.remove();
  if ($("away").querySelector("[data-studio]")) return;
  const bar = document.createElement("p");
  bar.className = "notice";
  bar.dataset.studio = "";
  const now = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(new Date());
  bar.textContent = `Reconnecting… The studio is away; showing ${now}. Nothing is lost.`;
  $("away").replaceChildren(bar);
}

const isFeed = (event) => event.target.id === "feed";
let isOut = false;
document.addEventListener("htmx:sse:after:connection", (event) => isFeed(event) && away(false));
document.addEventListener("htmx:sse:before:connection", (event) => isFeed(event) && event.detail.connection.attempt > 0 && !document.hidden && away(true));
document.addEventListener("signed-out", (event) => { isOut ||= isFeed(event); });
document.addEventListener("signed-in", () => {
  if (!isOut) return;
  isOut = false;
  htmx.trigger("#feed", "again");
});
document.addEventListener("htmx:error", (event) => {
  if (!isFeed(event)) return;
  away(true);
  setTimeout(() => htmx.trigger("#feed", "again"), 1000);
});
document.addEventListener("paused", (event) => {
  if (!isFeed(event)) return;
  const place = event.target.getAttribute("hx-sse:connect").replace(/&mode=\w+/, "");
  htmx.ajax("GET", `${place}&mode=auto`, { source: "#feed", target: "#feed", swap: "outerHTML" });
});
