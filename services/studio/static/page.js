/* What every page does: times in the reader's zone, running clocks, the theme, menus that close, toasts. */
import "./copy.js";
import "./focus.js";
import "./heard.js";
import { show, toast } from "./toast.js";

const THEMES = ["", "dark", "light"];
const NAMES = { "": "as the system has it", dark: "dark", light: "light" };
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

function sayTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const isToday = moment.toDateString() === new Date().toDateString();
    time.textContent = ("exact" in time.dataset ? exact : isToday ? hour : day).format(moment);
    time.title = day.format(moment);
  }
}

function tick() {
  for (const clock of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset.since)) / 1000));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
  for (const usual of document.querySelectorAll("[data-slow]"))
    if (Date.now() - Date.parse(usual.dataset.from) > usual.dataset.slow * 1000) usual.textContent = "slower than usual";
}

function nextTheme() {
  const root = document.documentElement;
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "") + 1) % THEMES.length];
  theme ? (root.dataset.theme = theme) : delete root.dataset.theme;
  theme ? localStorage.setItem("theme", theme) : localStorage.removeItem("theme");
  toast(`Theme: ${NAMES[theme]}`);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-next]")) nextTheme();
  if (event.target.closest("[data-print]")) window.print();
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("htmx:after:swap", () => {
  sayTimes(document);
  tick();
  for (const dialog of document.querySelectorAll("dialog[data-opens]:not([open])")) dialog.showModal();
});
document.addEventListener("click", (event) => {
  const dialog = event.target.closest("[data-closes]")?.closest("dialog");
  if (dialog) { event.preventDefault(); dialog.close(); }
});
document.addEventListener("close", (event) => event.target.matches("dialog[data-opens]") && event.target.remove(), true);
for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
for (const box of document.querySelectorAll(".toast[data-said]")) show(box);
sayTimes(document);
tick();
setInterval(tick, 1000);
