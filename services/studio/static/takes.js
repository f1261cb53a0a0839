/* The take strip: a take moves while it is pointed at; 1 to 9 show one, p picks, c compares. */
import { isOurs } from "./player.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");

function peek(/** @type {Event} */ event) {
  const video = event.target.closest?.("#takes .frame")?.querySelector("video[data-peek]");
  if (!video || still.matches || event.pointerType === "touch") return;
  video.play().catch(() => {});
  video.closest(".frame").addEventListener("pointerleave", () => { video.pause(); video.load(); }, { once: true });
}

function press(/** @type {KeyboardEvent} */ event) {
  if (!isOurs(event) || event.shiftKey || event.target.closest("[data-player], [data-compare]")) return;
  if (!/^[1-9pc]$/.test(event.key)) return;
  const wanted = document.querySelector(`#takes [data-key="${event.key}"]`);
  if (!wanted) return;
  event.preventDefault();
  wanted.click();
}

function leave() {
  for (const box of document.querySelectorAll("#takes [data-leaves]:not([data-leaving])")) {
    box.dataset.leaving = "";
    const go = () => setTimeout(() => (box.matches(":hover, :focus-within") ? go() : box.remove()), 8000);
    go();
  }
}

document.addEventListener("pointerover", peek);
document.addEventListener("keydown", press);
document.addEventListener("htmx:after:swap", leave);
leave();
