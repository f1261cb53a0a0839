/* Saves what is typed: kept in this browser until the service has it, and never said to be saved before. */
import { signedOut } from "./door.js";
import { merge } from "./merge.js";

const IDLE_MS = 800, AGAIN_MS = 4000;
const AWAY = ["offline", "out"];
const board = document.getElementById("editor").dataset.storyboard;
const JOURNAL = `unsent ${board} `;
const mine = JOURNAL + Math.random().toString(36).slice(2);
const said = document.getElementById("saved");

/** What is not saved yet, by address and field: {url, name, value, etag of what its author saw, refused}. */
export const pending = new Map();
/** The etag that a control was last seen to agree with. */
const agreed = new WeakMap();
let page = "", clashes = [], timer = 0, running = null;

const keyOf = (control) => `${control.form.dataset.save} ${control.name}`;
const controls = () => [...document.querySelectorAll("form[data-save] [name]:not([type=hidden])")];

/** What a control says, as REST has it. */
function valueOf(control) {
  const all = () => [...control.form.querySelectorAll(`[name="${control.name}"]:checked`)].map((box) => box.value);
  const [width, height] = control.value.split("x").map(Number);
  return { seconds: () => `${control.value || 0}s`, list: all, flag: () => control.checked, size: () => ({ width, height }),
    number: () => (control.value.trim() === "" ? null : control.value.trim()) }[control.dataset.kind]?.() ?? control.value;
}

/** Make a control say a value. */
function put(control, value) {
  const kind = control.dataset.kind;
  if (kind === "list") control.checked = value.includes(control.value);
  else if (kind === "flag") control.checked = value;
  else if (control.type === "radio") control.checked = control.value === value;
  else control.value = kind === "seconds" ? parseInt(value) : kind === "size" ? `${value.width}x${value.height}` : value ?? "";
}

const asGiven = (control) => control.type === "checkbox" || control.type === "radio" ? control.checked === control.defaultChecked
  : control.options ? [...control.options].every((it) => it.selected === it.defaultSelected) : control.value === control.defaultValue;

function reset(control) {
  if (control.type === "checkbox" || control.type === "radio") control.checked = control.defaultChecked;
  else if (control.options) for (const it of control.options) it.selected = it.defaultSelected;
  else control.value = control.defaultValue;
}

/** After the page was made anew: what is typed stays, all else says what the page says. Whether its etag is a new one. */
export function settle(etag) {
  const isNew = etag !== page, before = page;
  page = etag;
  for (const control of controls()) {
    const told = pending.get(keyOf(control));
    if (told) { if (control !== document.activeElement) put(control, told.value); }
    else if (control !== document.activeElement && !asGiven(control)) reset(control);
    if (!told && asGiven(control)) agreed.set(control, etag);
  }
  if (isNew && before) say();
  return isNew;
}

/** The one line of the head. */
export function say() {
  const state = clashes.length ? "clash" : [...pending.values()].some((it) => it.refused) ? "refused" : !pending.size ? "saved" : AWAY.includes(said.dataset.state) ? said.dataset.state : "saving";
  tell(state);
}

function tell(state) {
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(new Date());
  const words = { saving: "Saving…", saved: `Saved ${time}`, offline: "Not saved: offline, kept in this browser",
    out: "Not saved: you were signed out", clash: "Somebody changed this too", refused: "Not saved: a field needs you" };
  if (said.dataset.state === state && state !== "saved") return;
  said.ariaLive = state === "saving" || state === "saved" ? "off" : "polite";
  said.dataset.state = state;
  said.textContent = words[state];
  const act = { clash: () => merge(clashes, settled), out: () => signedOut() }[state];
  if (!act) return;
  const button = Object.assign(document.createElement("button"), { className: "btn", textContent: words[state], type: "button" });
  button.addEventListener("click", act);
  said.replaceChildren(button);
}

export function flash() {
  said.removeAttribute("data-flash");
  requestAnimationFrame(() => said.setAttribute("data-flash", ""));
}

function keep() {
  try {
    if (pending.size) localStorage.setItem(mine, JSON.stringify([...pending]));
    else localStorage.removeItem(mine);
  } catch { /* a full or forbidden store: what is typed is still sent */ }
}

function note(control) {
  const key = keyOf(control), before = pending.get(key);
  const etag = before?.etag ?? agreed.get(control) ?? page;
  pending.set(key, { url: control.form.dataset.save, name: control.name, value: valueOf(control), etag });
  wrong(key, "");
  keep();
  say();
}

/** What a service finds wrong with a field, beside it. */
function wrong(key, detail) {
  const control = controls().find((it) => keyOf(it) === key);
  const hint = control && document.getElementById(control.getAttribute("aria-describedby"));
  detail ? control?.setAttribute("aria-invalid", "true") : control?.removeAttribute("aria-invalid");
  if (!hint) return;
  hint.dataset.hint ??= hint.textContent;
  hint.textContent = detail ? `Not saved: it ${detail}` : hint.dataset.hint;
  hint.classList.toggle("wrong", Boolean(detail));
}

/** Send everything that can be sent, one call after the other. */
export function flush() {
  clearTimeout(timer);
  return (running ??= sendAll().finally(() => { running = null; }));
}

async function sendAll() {
  let sent = false;
  for (let next; (next = [...pending.values()].find((it) => !it.refused)); sent = true) {
    const group = [...pending].filter(([, it]) => it.url === next.url && it.etag === next.etag && !it.refused);
    if (await send(next, group)) continue;
    if (said.dataset.state !== "out") timer = setTimeout(flush, AGAIN_MS);
    return;
  }
  say();
  if (sent && !pending.size) document.dispatchEvent(new Event("editor:saved"));
}

/** One PATCH; whether it was answered by somebody who knows. */
async function send({ url, etag }, group) {
  const body = JSON.stringify(Object.fromEntries(group.map(([, it]) => [it.name, it.value])));
  const headers = { "content-type": "application/merge-patch+json", "if-match": `"${etag}"` };
  let answer, told;
  try {
    answer = await fetch(url, { method: "PATCH", headers, body, keepalive: body.length < 60000 });
    told = await answer.json();
  } catch { return tell("offline"), false; }
  if (answer.status === 401) return tell("out"), signedOut(true), false;
  if (answer.status === 429 || answer.status >= 500) return tell("offline"), false;
  if (answer.ok) accept(group, told.etag);
  else if (answer.status === 412 || answer.status === 404) clash(group, answer.status === 404 ? [] : told.errors);
  else refuse(group, told);
  keep();
  return true;
}

function accept(group, etag) {
  for (const [key, sent] of group) {
    const now = pending.get(key);
    if (now === sent) pending.delete(key);
    else if (now) now.etag = etag;
    for (const control of controls()) if (keyOf(control) === key) agreed.set(control, etag);
  }
}

function refuse(group, told) {
  for (const [key, it] of group) {
    const error = told.errors.find((one) => one.pointer?.split("/").includes(it.name)) ?? (told.errors.length ? null : told);
    if (!error) continue;
    it.refused = true;
    wrong(key, error.detail);
  }
  if (!group.some(([, it]) => it.refused)) for (const [, it] of group) it.refused = true;
}

/** Take what both changed out of the queue, so that the rest goes on, and ask whose words stay. */
function clash(group, errors) {
  const names = errors.map((error) => error.pointer?.split("/").pop());
  const ours = group.filter(([, it]) => names.includes(it.name));
  for (const [key, it] of ours.length ? ours : group) {
    it.refused = true;
    clashes = clashes.filter((other) => other.key !== key);
    clashes.push({ key, ...it, detail: errors.find((error) => error.pointer?.endsWith(it.name))?.detail ?? "" });
  }
  say();
  merge(clashes, settled);
}

/** The words that stay: theirs need nothing, all others are sent upon theirs. */
function settled(choices) {
  clashes = [];
  for (const { key, url, name, value, etag } of choices) {
    pending.delete(key);
    if (value !== undefined) pending.set(key, { url, name, value, etag });
    for (const control of controls()) if (keyOf(control) === key && value !== undefined) put(control, value);
  }
  document.activeElement?.blur?.();
  keep();
  say();
  flush().then(() => document.dispatchEvent(new Event("editor:saved")));
}

/** Words of a window that is gone: they are offered back, by one window, once no other holds them. */
function offer(name) {
  const told = JSON.parse(localStorage.getItem(name) ?? "[]");
  if (!told.length) return localStorage.removeItem(name);
  const shelf = document.getElementById("kept"), box = document.createElement("p");
  const words = told.length === 1 ? "One change was" : `${told.length} changes were`;
  box.append(`${words} not saved when this was closed, and kept in this browser. `);
  shelf.append(box);
  shelf.hidden = false;
  return new Promise((decided) => {
    const button = (word, run) => {
      const made = Object.assign(document.createElement("button"), { className: "btn", textContent: word, type: "button" });
      made.addEventListener("click", () => { localStorage.removeItem(name); box.remove(); shelf.hidden = !shelf.children.length; run(); decided(); });
      box.append(made, " ");
    };
    button("Bring back", () => {
      for (const [key, it] of told) pending.set(key, { ...it, refused: false });
      keep(); settle(page); say(); flush();
    });
    button("Throw away", () => {});
  });
}

document.addEventListener("input", ({ target }) => {
  if (!target.form?.dataset.save || !target.name) return;
  note(target);
  clearTimeout(timer);
  timer = setTimeout(flush, target.matches("select, [type=checkbox], [type=radio]") ? 0 : IDLE_MS);
});
document.addEventListener("change", ({ target }) => { if (target.form?.dataset.save && target.matches("select")) note(target), flush(); });
document.addEventListener("focusout", ({ target }) => { if (target.form?.dataset.save && pending.size) flush(); });
document.addEventListener("visibilitychange", () => { if (document.hidden && pending.size) flush(); });
document.addEventListener("signed-in", () => { if (pending.size) flush(); });
addEventListener("online", () => { if (pending.size) flush(); });
addEventListener("offline", () => { if (pending.size) tell("offline"); });

navigator.locks?.request(mine, () => new Promise(() => {}));
for (const name of Object.keys(localStorage).filter((it) => it.startsWith(JOURNAL)))
  navigator.locks ? navigator.locks.request(name, () => offer(name)) : offer(name);
