/* What is chosen for this browser alone: the theme, and whether single keys do something. */
const form = document.querySelector("[data-choices]");
const root = document.documentElement;
const SYSTEM = "system";

form.elements.theme.value = localStorage.getItem("theme") ?? SYSTEM;
form.elements.keys.checked = localStorage.getItem("keys") !== "off";

function keep(name, value) {
  value ? localStorage.setItem(name, value) : localStorage.removeItem(name);
}

form.addEventListener("change", () => {
  const theme = form.elements.theme.value === SYSTEM ? "" : form.elements.theme.value;
  theme ? (root.dataset.theme = theme) : delete root.dataset.theme;
  keep("theme", theme);
  keep("keys", form.elements.keys.checked ? "" : "off");
});

document.querySelector("[data-zone]").textContent = `: ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const say = () => (document.querySelector("[data-motion]").textContent = reduced.matches ? "It does now." : "");
reduced.addEventListener("change", say);
say();
