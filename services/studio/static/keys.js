/* Keys. What an element says it answers to is pressed or focused for it: data-keys="n", "g p", "Control+z".
   data-keys-say names it in the list of keys, else its own words do; <dl data-keys-more hidden> lists what a page's own
   modules answer to. Single keys are off while localStorage "keys" is "off", and never count in a field; none presses what pays. */
const WAIT_MS = 1200;
const FIELDS = "input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=range]), textarea, select, [contenteditable]";
const EVERYWHERE = [["?", "This list"], ["Control+k", "Go to"], ["Escape", "Close, or leave a field"]];
const isMac = /Mac|iP/.test(navigator.platform);
let pressed = "";
let waiting = 0;

/** @param {KeyboardEvent} event */
function named(event) {
  const isCharacter = event.key.length === 1;
  const key = isCharacter ? event.key.toLowerCase() : event.key;
  const isLetter = isCharacter && key !== event.key.toUpperCase();
  const shift = event.shiftKey && (isLetter || !isCharacter || event.ctrlKey || event.metaKey);
  return [(event.ctrlKey || event.metaKey) && "Control", event.altKey && "Alt", shift && "Shift", key].filter(Boolean).join("+");
}

const answering = () => [...document.querySelectorAll("[data-keys]")].filter((it) => !it.disabled && !it.closest("[hidden], button.pay"));

/** @param {HTMLElement} element */
function press(element) {
  if (!element.matches(FIELDS)) return element.click();
  element.focus();
  element.select?.();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || ["Control", "Shift", "Alt", "Meta"].includes(event.key)) return;
  const key = named(event);
  const inField = event.target.closest?.(FIELDS);
  if (key === "Escape" && inField && !inField.closest("dialog")) return inField.blur();
  if (key === "Control+k") return take(event, goTo);
  if (inField || document.querySelector("dialog[open]")) return;
  const isSingle = !/^(Control|Alt)\+/.test(key) && key.length > 0;
  if (isSingle && localStorage.getItem("keys") === "off") return;
  const told = `${pressed} ${key}`.trim();
  const known = answering();
  const found = known.find((it) => it.dataset.keys === told) ?? known.find((it) => it.dataset.keys === key);
  pressed = !found && known.some((it) => it.dataset.keys.startsWith(`${key} `)) ? key : "";
  clearTimeout(waiting);
  waiting = setTimeout(() => (pressed = ""), WAIT_MS);
  if (found) return take(event, () => press(found));
  if (key === "?") return take(event, help);
  if (key === "/") return take(event, goTo);
});

function take(event, act) {
  event.preventDefault();
  act();
}

function make(name, told = {}, ...inside) {
  const element = Object.assign(document.createElement(name), told);
  element.append(...inside);
  return element;
}

function said(keys) {
  const words = isMac ? { Control: "⌘", Alt: "⌥", Shift: "⇧" } : { Control: "Ctrl" };
  return keys.split(" ").map((key) => make("kbd", { textContent: key.split("+").map((it) => words[it] ?? it).join(" ") }));
}

function dialog(title, ...inside) {
  const heading = make("h2", { id: "keys-title", textContent: title });
  const close = make("form", { method: "dialog" }, make("button", { className: "btn", textContent: "Close" }));
  const box = make("dialog", { className: "keys" }, heading, ...inside, close);
  box.setAttribute("aria-labelledby", heading.id);
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}

function help() {
  const rows = new Map(EVERYWHERE);
  for (const it of document.querySelectorAll("[data-keys], [aria-keyshortcuts]")) {
    const keys = it.dataset.keys ?? it.getAttribute("aria-keyshortcuts");
    if (!rows.has(keys)) rows.set(keys, it.dataset.keysSay ?? it.ariaLabel ?? it.textContent.trim().replace(/\s+/g, " "));
  }
  for (const term of document.querySelectorAll("[data-keys-more] dt"))
    rows.set(term.textContent, term.nextElementSibling.textContent);
  const list = make("dl", { className: "facts" });
  for (const [keys, words] of rows) list.append(make("dt", {}, ...said(keys)), make("dd", { textContent: words }));
  const off = localStorage.getItem("keys") === "off" ? "Single keys are switched off in the settings." : "None of them counts in a field, and none of them pays.";
  dialog("Keys", list, make("p", { className: "said", textContent: off }));
}

function goTo() {
  if (document.querySelector("dialog.keys")) return;
  const field = make("input", { id: "go-to", autocomplete: "off" });
  const list = make("ul", { className: "places" });
  const places = [...document.querySelectorAll("header a[href], header .menu .list a[href], [data-go]")].map((it) => [it.href, it.dataset.keysSay ?? it.textContent.trim()]);
  places.push(["/new", "New project"], ["/import", "Import"]);
  const show = (boards) => {
    const wanted = field.value.trim().toLowerCase();
    const known = places.filter(([, words]) => words.toLowerCase().includes(wanted));
    list.replaceChildren(...[...known, ...boards].map(([href, textContent]) => make("li", {}, make("a", { href, textContent }))));
  };
  field.addEventListener("input", async () => {
    show([]);
    const asked = field.value;
    if (!asked.trim()) return;
    const answer = await fetch(`/v1/storyboards?page_size=8&query=${encodeURIComponent(asked)}`).catch(() => null);
    const found = answer?.ok ? (await answer.json()).storyboards ?? [] : [];
    if (field.value === asked) show(found.map((it) => [`/p/${it.id}`, it.name]));
  });
  const box = dialog("Go to", make("label", { htmlFor: "go-to", textContent: "A project or a page" }), field, list);
  box.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "Enter" && at < 0 && links.length) take(event, () => links[0].click());
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) take(event, () => (links[at + step] ?? field).focus());
  });
  show([]);
}

for (const button of document.querySelectorAll("[data-keys-help]")) {
  button.hidden = false;
  button.addEventListener("click", help);
}
