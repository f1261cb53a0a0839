/* Two takes in step: side by side, with a wipe, or flipped by holding x; 1-9 and Shift 1-9 choose, p picks. */
import { signedOut } from "./door.js";
import { Player, isOurs } from "./player.js";
import { toast } from "./toast.js";

const root = document.querySelector("[data-compare]");
const form = document.querySelector(".chooser");

function mode(/** @type {string} */ name) {
  root.dataset.mode = name;
  root.querySelector(".edge").hidden = name !== "wipe";
  root.querySelector("[data-flip]").hidden = name !== "flip";
  form.querySelector(`[value="${name}"]`).checked = true;
  hear(root.classList.contains("flipped"));
}

/** Show the right one instead of the left, and hear it. */
function flip(/** @type {boolean} */ over) {
  root.classList.toggle("flipped", over);
  hear(over);
}

function hear(/** @type {boolean} */ right) {
  const all = [...root.querySelectorAll("video")], was = root.player.silent;
  root.player.heard = all[right && root.dataset.mode === "flip" ? 1 : 0];
  for (const video of all) video.muted = was || video !== root.player.heard;
}

function choose(/** @type {string} */ side, /** @type {string} */ number) {
  const select = document.getElementById(side);
  if (![...select.options].some((option) => option.value === number)) return;
  select.value = number;
  form.requestSubmit();
}

/** Pick the take whose picture has the focus or the pointer, else the left one. */
async function pick(/** @type {HTMLElement | null} */ figure) {
  const form = (figure ?? root.querySelector("figure")).querySelector("form");
  if (!form) return;
  const [, scene, take, verb] = form.action.match(/(.*)\/takes\/([^/]+)\/(pick|unpick)/);
  const answer = await fetch(`/v1/takes/${take}:${verb}`, { method: "POST" });
  if (answer.status === 401) return signedOut();
  if (!answer.ok) return toast((await answer.json()).detail);
  for (const one of root.querySelectorAll("figure")) draw(one, one.contains(form) && verb === "pick");
  const said = `Take ${form.closest("figure").querySelector(".no").textContent} is ${verb === "pick" ? "" : "not "}in the film.`;
  toast(said, { word: "Undo", run: () => pick(form.closest("figure")) });
}

function draw(/** @type {HTMLElement} */ figure, /** @type {boolean} */ picked) {
  figure.toggleAttribute("data-picked", picked);
  const form = figure.querySelector("form"), button = form.querySelector("button");
  form.action = form.action.replace(/\/(un)?pick/, picked ? "/unpick" : "/pick");
  button.classList.toggle("on", picked);
  button.childNodes[2].textContent = picked ? " Picked" : " Pick";
}

function press(/** @type {KeyboardEvent} */ event) {
  if (!isOurs(event)) return;
  const digit = event.code.match(/^(?:Digit|Numpad)([1-9])$/)?.[1];
  if (digit) choose(event.shiftKey ? "right" : "left", digit);
  else if (event.key === "x") flip(true);
  else if (event.key.toLowerCase() === "p") pick(document.activeElement?.closest("figure") ?? root.querySelector("figure:hover"));
  else return root.contains(event.target) || root.player.key(event);
  event.preventDefault();
}

if (root) {
  root.player = new Player(root);
  const isSmall = matchMedia("(max-width: 640px)").matches && !new URLSearchParams(location.search).has("mode");
  mode(isSmall ? "flip" : root.dataset.mode);
  form.addEventListener("change", (event) => {
    if (event.target.name !== "mode") return form.requestSubmit();
    mode(event.target.value);
    const place = new URL(location.href);
    place.searchParams.set("mode", event.target.value);
    history.replaceState(null, "", place);
  });
  const edge = root.querySelector("[data-edge]");
  edge.addEventListener("input", () => root.style.setProperty("--edge", `${edge.value}%`));
  root.querySelector(".pictures").addEventListener("pointermove", (event) => {
    if (root.dataset.mode !== "wipe") return;
    const box = event.currentTarget.getBoundingClientRect();
    edge.value = String((100 * (event.clientX - box.left)) / box.width);
    root.style.setProperty("--edge", `${edge.value}%`);
  });
  const button = root.querySelector("[data-flip]");
  button.addEventListener("pointerdown", () => flip(true));
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(name, () => flip(false));
  button.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); flip(true); } });
  button.addEventListener("keyup", () => flip(false));
  root.addEventListener("submit", (event) => { event.preventDefault(); pick(event.target.closest("figure")); });
  addEventListener("keydown", press);
  addEventListener("keyup", (event) => { if (event.key === "x") flip(false); });
}
