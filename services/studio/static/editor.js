/* The storyboard editor: what is chosen is an address, keys press the buttons that are there, and what others do arrives. */
import { pending, flush, flash, settle } from "./autosave.js";
import { signedOut } from "./door.js";
import { carry } from "./reorder.js";
import { toast } from "./toast.js";

const PULSE_MS = 5000;
const FIELDS = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const editor = () => document.getElementById("editor");
const here = (...names) => names.map((name) => document.querySelector(name)).find(Boolean);
let films = null, wanted = null, chosen = null, opener = null;

/** Show an address: the editor that comes back is morphed into this one, so that focus and players stay. */
async function go(address, push = true) {
  wanted = { address, push };
  const mine = wanted;
  await htmx.ajax("GET", address, { source: "#editor", target: "#editor", select: "#editor", swap: "outerMorph", push: push && "true" });
  if (wanted !== mine) return;
  wanted = null;
  aim(editor().dataset.scene);
}

/** Let the acts be about a scene from the moment it is chosen: its page is still on the way. */
function aim(scene) {
  const row = document.getElementById(`row-${scene}`);
  if (!row) return;
  for (const other of row.parentElement.children) {
    other.toggleAttribute("data-current", other === row);
    other.querySelector("a").ariaCurrent = other === row ? "true" : null;
  }
  for (const field of document.querySelectorAll("#editor [name=current], #add-before [name=before]")) field.value = scene;
  here("#add [name=before]").value = row.nextElementSibling?.dataset.scene ?? "";
}

/** After an act: who chose another scene since gets there; else what the act shows is newer than what was on the way. */
function arrive(ctx) {
  if (ctx.chosen !== chosen) return go(chosen.address);
  if (!wanted) return;
  if (!ctx.hx.pushurl?.includes("scene=")) return refresh();
  wanted = null;
  htmx.trigger(editor(), "htmx:abort");
}

/** Show the same as it is now; somebody on the way to another scene gets there. */
const refresh = () => wanted ? go(wanted.address, wanted.push) : go(location.pathname + location.search, false);

/** Turn to a tab or pane that is on the page already; the address says so too. */
function turn(link) {
  const [kind, name] = link.dataset.turn.split(":");
  editor().dataset[kind] = name;
  for (const other of document.querySelectorAll(`[data-turn^="${kind}:"]`))
    other === link ? other.setAttribute("aria-current", "true") : other.removeAttribute("aria-current");
  const address = new URL(location);
  address.searchParams.set(kind, name);
  history.replaceState({ htmx: true }, "", address);
}

async function post(verb) {
  await flush();
  const place = `/p/${editor().dataset.storyboard}/${verb}`;
  const answer = await fetch(place, { method: "POST", headers: { accept: "application/json" } });
  if (answer.status === 401) return signedOut();
  if (!answer.ok) return toast(answer.status === 409 ? `There is nothing to ${verb}.` : "That did not work; try again in a moment.");
  const { said } = await answer.json();
  await refresh();
  toast(said);
}

function started(link) {
  if (link.dataset.post) return post(link.dataset.post);
  flush();
  if (!link.closest("#drawer")) opener = link;
  chosen = { address: link.href };
  aim(link.closest("#rows > li")?.dataset.scene);
  return go(link.href).then(() => ("shut" in link.dataset ? opener : here("#drawer-title"))?.focus({ preventScroll: true }));
}

function choose(step) {
  const links = [...document.querySelectorAll("#rows > li:not([hidden]) > a")];
  const focused = links.indexOf(document.activeElement);
  const at = focused >= 0 ? focused : links.findIndex((link) => link.ariaCurrent);
  const to = links[step === "first" ? 0 : step === "last" ? links.length - 1 : Math.max(0, Math.min(links.length - 1, at + step))];
  to?.focus();
  to?.click();
}

function mark(range) {
  const boxes = [...document.querySelectorAll("#rows [name=scene]")];
  const focused = boxes.findIndex((box) => box.closest("li").matches(":focus-within"));
  const at = focused >= 0 ? focused : boxes.findIndex((box) => "current" in box.closest("li").dataset);
  const from = range ? boxes.findLastIndex((box, place) => box.checked && place < at) : -1;
  if (at < 0) return;
  if (from < 0) boxes[at].checked = !boxes[at].checked;
  else boxes.slice(from, at + 1).forEach((box) => { box.checked = true; });
}

function cycleLink() {
  const seam = here("select[name=seam]");
  seam.selectedIndex = (seam.selectedIndex + 1) % seam.options.length;
  seam.dispatchEvent(new Event("change", { bubbles: true }));
  toast(`Starts on ${seam.selectedOptions[0].textContent}`);
}

/** Out of the drawer, or out of a field to its scene in the list, where the keys of scenes count. */
function back(typing) {
  const shut = here("[data-shut]");
  if (shut) shut.click();
  else if (typing) here("#rows a[aria-current]")?.focus();
}

/** Leave the scenes that hold what is looked for. */
function find() {
  const words = here("#find")?.value.toLowerCase().split(/\s+/) ?? [];
  for (const row of document.querySelectorAll("#rows > li"))
    row.hidden = !words.every((word) => row.querySelector("a").textContent.toLowerCase().includes(word));
}

const press = (name) => () => here(name)?.click();
const KEYS = {
  n: press("#add button"), N: press("#add-before button"), d: press("#acts [value=duplicate]"),
  Delete: press("#acts [value=delete]"), "Alt ArrowUp": press("#acts [value=up]"), "Alt ArrowDown": press("#acts [value=down]"),
  ArrowUp: () => choose(-1), ArrowDown: () => choose(1), Home: () => choose("first"), End: () => choose("last"),
  x: () => mark(false), X: () => mark(true), l: cycleLink, "/": () => here("#find", "#rows a[aria-current]")?.focus(),
  e: () => { press("[data-turn='tab:words']")(); press("[data-turn='pane:details']")(); here(".details textarea[name=action]")?.focus(); },
};

document.addEventListener("keydown", (event) => {
  const held = event.ctrlKey || event.metaKey;
  const typing = event.target.matches(FIELDS);
  if (held && event.key.toLowerCase() === "s") return event.preventDefault(), flush(), flash();
  if (held && event.key.toLowerCase() === "z" && !typing) return event.preventDefault(), post(event.shiftKey ? "redo" : "undo");
  if (event.key === "Escape" && !document.querySelector("dialog[open], .menu[open], .carried")) return back(typing);
  if (held || typing || event.defaultPrevented || document.querySelector("dialog[open]") || localStorage.getItem("keys") === "off") return;
  if (event.target.closest(".grip, .menu, video, .takes") && !event.altKey) return;
  const act = KEYS[(event.altKey ? "Alt " : "") + event.key];
  if (act) event.preventDefault(), act();
});

document.addEventListener("click", (event) => {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("a[data-part], a[data-turn], [data-post]");
  if (!link) return;
  event.preventDefault();
  if (link.dataset.turn) return turn(link);
  link.ariaBusy = "true";
  started(link).finally(() => { link.ariaBusy = null; });
});

document.addEventListener("input", (event) => event.target.id === "find" && find());
document.addEventListener("change", (event) => event.target.closest("[data-at-once]")?.requestSubmit());
document.addEventListener("editor:did", (event) => toast(event.detail.said, { word: "Undo", run: () => post("undo") }));
document.addEventListener("editor:saved", () => refresh());
document.addEventListener("htmx:error", (event) => event.detail.ctx && toast("That did not reach the studio. It is tried when you do it again."));
document.addEventListener("htmx:config:request", ({ detail }) => { detail.ctx.chosen = chosen; });
document.addEventListener("htmx:before:request", (event) => {
  if (event.detail.ctx.request.method === "POST") document.getElementById("refused").replaceChildren();
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.request.method !== "GET" && event.detail.ctx.sourceElement.closest?.(".takes")) refresh();
});
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx?.target?.id === "price") return;
  const { etag, revision, storyboard } = editor().dataset;
  const posted = event.detail.ctx?.request?.method === "POST" && event.detail.ctx.response.status < 400;
  if (settle(etag) || posted) htmx.ajax("GET", `/p/${storyboard}/price?revision=${revision}`, { target: "#price", swap: "innerHTML" });
  carry();
  find();
  if (!posted) return;
  arrive(event.detail.ctx);
  if (document.activeElement.matches("body, .menu *, #add *, #place *")) here("#rows a[aria-current]")?.focus();
  for (const menu of document.querySelectorAll("#editor .menu[open]")) menu.open = false;
});

/** Others' words, and takes that are made: the page is asked for again when its pulse is another one. */
async function beat() {
  if (document.hidden || pending.size || document.querySelector(".carried, dialog[open], .menu[open]")) return;
  try {
    const answer = await fetch(`/p/${editor().dataset.storyboard}/pulse`);
    if (!answer.ok) return;
    const [etag, ...told] = (await answer.text()).split(" ");
    const filmed = films !== null && films !== told.join();
    films = told.join();
    if (filmed) document.body.dispatchEvent(new Event("editor:takes"));
    if ((filmed || etag !== editor().dataset.etag) && !pending.size) await refresh();
  } catch { /* the next beat asks again */ }
}

document.documentElement.dataset.live = "";
settle(editor().dataset.etag);
carry();
setInterval(beat, PULSE_MS);
addEventListener("focus", beat);
document.addEventListener("visibilitychange", beat);
beat();
