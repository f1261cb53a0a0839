/* Two people wrote the same field: yours, theirs, or both, field by field. */
const NAMES = { subject: "Who or what is seen", action: "What happens", setting: "Where and when", dialogue: "Line or sound", duration: "Length", seam: "Starts on", negative_prompt: "Must not be seen", preset: "Look" };

/** What stands there now, by the address that it is changed at, and the etag of that. */
async function theirs(url) {
  const [, , , id, kind, thing] = url.split("/");
  const told = await (await fetch(`/v1/storyboards/${id}`)).json();
  return { etag: told.etag, thing: kind ? told[kind].find((it) => it.id === thing) : told };
}

const shown = (value) => (Array.isArray(value) ? value.join(", ") : typeof value === "object" && value ? Object.values(value).join(" × ") : String(value ?? "")) || "nothing";

/** Ask about each clash; `decided` is told each with the value that stays, undefined for theirs. */
export async function merge(clashes, decided) {
  const sheet = document.getElementById("merge");
  if (sheet.open || !clashes.length) return;
  const asked = await Promise.all(clashes.map(async (it) => ({ ...it, now: await theirs(it.url) }))).catch(() => []);
  if (!asked.length || sheet.open) return;
  const boxes = asked.map((it, place) => box(it, place));
  sheet.querySelector("[data-clashes]").replaceChildren(...boxes);
  sheet.returnValue = "";
  sheet.addEventListener("close", () => sheet.returnValue && decided(asked.map((it, place) => choice(it, boxes[place]))), { once: true });
  sheet.showModal();
}

function box(it, place) {
  const made = document.getElementById("clash").content.firstElementChild.cloneNode(true);
  const told = it.now.thing?.[it.name];
  made.querySelector("legend").textContent = NAMES[it.name] ?? it.name[0].toUpperCase() + it.name.slice(1);
  made.querySelector(".hint").textContent = it.now.thing ? it.detail && `It ${it.detail}` : "It was deleted meanwhile; undo brings it back.";
  made.querySelector("[data-mine]").textContent = shown(it.value);
  made.querySelector("[data-theirs]").textContent = it.now.thing ? shown(told) : "deleted";
  for (const radio of made.querySelectorAll("input")) {
    radio.name = `clash-${place}`;
    radio.disabled = !it.now.thing && radio.value !== "theirs";
    radio.checked = it.now.thing ? radio.value === "mine" : radio.value === "theirs";
  }
  const words = typeof told === "string" && !["duration", "seam", "model", "preset", "location", "name"].includes(it.name);
  made.querySelector("[value=both]").closest("label").hidden = !words;
  return made;
}

function choice(it, made) {
  const chosen = made.querySelector("input:checked").value;
  const both = `${it.now.thing?.[it.name] ?? ""}\n${it.value}`;
  return { ...it, etag: it.now.etag, value: { mine: it.value, both }[chosen] };
}
