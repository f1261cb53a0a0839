/* The film page: chapters seek, the scrubber shows what is there, the disclosure is copied. */
import { isOurs } from "./player.js";
import { toast } from "./toast.js";

const root = document.querySelector(".film [data-player]");
const player = root?.player;
const marks = [...document.querySelectorAll("[data-start]")];

function go(/** @type {MouseEvent} */ event) {
  const mark = event.target.closest("[data-start]");
  if (!mark || !player || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  history.replaceState(null, "", mark.hash);
  player.seek(Number(mark.dataset.start) + 0.5 / player.fps);
  root.scrollIntoView({ block: "nearest" });
}

/** Mark the chapter that is seen. */
function follow() {
  const at = player.time;
  for (const mark of marks) {
    if (!mark.dataset.end) continue;
    const is = at >= Number(mark.dataset.start) && at < Number(mark.dataset.end);
    if (is !== mark.hasAttribute("aria-current")) mark.toggleAttribute("aria-current", is);
  }
}

async function copy(/** @type {HTMLElement} */ button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  toast("The disclosure is copied.");
}

/** The cells of the sprite: where each begins, and its place on the picture. */
async function cells() {
  const text = await (await fetch(root.dataset.cells)).text();
  const found = text.matchAll(/(?:(\d+):)?(\d+):([\d.]+) -->.*\n.*#xywh=(\d+),(\d+),(\d+),(\d+)/g);
  return [...found].map(([, hours = 0, minutes, seconds, ...box]) => ({ at: hours * 3600 + minutes * 60 + Number(seconds), box: box.map(Number) }));
}

let known;

async function peek(/** @type {PointerEvent} */ event) {
  const shown = root.querySelector(".peek"), scrub = event.currentTarget;
  if (event.pointerType === "touch") return;
  known ??= cells().catch(() => []);
  const place = Math.min(1, Math.max(0, event.offsetX / scrub.clientWidth)), all = await known;
  const cell = all.findLast((one) => one.at <= place * player.length) ?? all[0];
  if (!cell) return;
  const [x, y, width, height] = cell.box;
  Object.assign(shown.style, {
    inlineSize: `${width}px`, blockSize: `${height}px`, backgroundImage: `url("${root.dataset.sprite}")`,
    backgroundPosition: `-${x}px -${y}px`, insetInlineStart: `clamp(0px, calc(${place * 100}% - ${width / 2}px), calc(100% - ${width}px))`,
  });
  shown.hidden = false;
}

if (player) {
  root.addEventListener("player:at", follow);
  const place = Number(location.hash.match(/^#t=([\d.]+)$/)?.[1]);
  if (place) player.seek(place + 0.5 / player.fps);
  if (root.dataset.cells) {
    const scrub = root.querySelector("[data-scrub]");
    scrub.addEventListener("pointermove", peek);
    scrub.addEventListener("pointerleave", () => { root.querySelector(".peek").hidden = true; });
  }
}
document.addEventListener("click", go);
document.addEventListener("keydown", (event) => {
  const inside = event.target.closest?.("[data-player], a, button, input, select, summary");
  if (player && isOurs(event) && !inside) player.key(event);
});
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", () => copy(button));
}
