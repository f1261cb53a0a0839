/* Scenes are carried to another place: by mouse, by finger after a moment's hold, and by the keys of the grip. */
const HOLD_MS = 120;
const rows = () => document.getElementById("rows");
let sortable = null, origin = null;

const tell = (text) => { document.getElementById("moves").textContent = text; };
const placeOf = (row) => [...rows().children].indexOf(row) + 1;

/** Send where the row stands now; what comes back is the order as it is kept. */
function drop(row) {
  const form = document.getElementById("place");
  form.elements.scene.value = row.dataset.scene;
  form.elements.before.value = row.nextElementSibling?.dataset.scene ?? "";
  form.requestSubmit();
}

/** Let the rows be carried; those of a page that was made anew are the same or others. */
export function carry() {
  if (sortable?.el === rows()) return;
  sortable?.destroy();
  sortable = rows() && Sortable.create(rows(), {
    handle: ".grip", animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120, delay: HOLD_MS, delayOnTouchOnly: true,
    ghostClass: "carried", onUpdate: ({ item }) => drop(item),
  });
}

function putDown(row, sent) {
  row.classList.remove("carried");
  row.querySelector(".grip").removeAttribute("aria-pressed");
  if (!sent) rows().insertBefore(row, origin);
  else if (row.nextElementSibling !== origin) drop(row);
  row.querySelector(".grip").focus();
  tell(sent ? `Put down at ${placeOf(row)}.` : "Put back.");
  origin = null;
}

document.addEventListener("keydown", (event) => {
  const grip = event.target.closest?.(".grip"), row = grip?.closest("li");
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  const isCarried = row.classList.contains("carried");
  if (event.key === " " || (event.key === "Enter" && isCarried)) {
    event.preventDefault();
    if (isCarried) return putDown(row, true);
    origin = row.nextElementSibling;
    row.classList.add("carried");
    grip.setAttribute("aria-pressed", "true");
    tell(`Picked up, at ${placeOf(row)} of ${rows().children.length}.`);
  } else if (isCarried && event.key === "Escape") {
    event.preventDefault();
    putDown(row, false);
  } else if (isCarried && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    const other = event.key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
    if (other) event.key === "ArrowUp" ? other.before(row) : other.after(row);
    grip.focus();
    row.scrollIntoView({ block: "nearest" });
    tell(`At ${placeOf(row)}.`);
  }
});
document.addEventListener("focusout", ({ target }) => {
  const row = target.closest?.(".grip")?.closest("li.carried");
  if (row && origin !== undefined && document.hasFocus()) requestAnimationFrame(() => row.matches(":focus-within, :not(.carried)") || putDown(row, true));
});
