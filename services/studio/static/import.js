/* Shows the words of a chosen file, and leads to the line that something is said of. */
const file = document.getElementById("file");
const text = document.getElementById("text");
const LARGEST_BYTES = 2_000_000;

file.addEventListener("change", async () => {
  const chosen = file.files[0];
  if (chosen && chosen.size <= LARGEST_BYTES) text.value = await chosen.text();
});
text.addEventListener("input", () => (file.value = ""));

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-line]");
  if (!link) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const number = Number(link.dataset.line) - 1;
  const start = lines.slice(0, number).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[number]?.length ?? 0));
  text.scrollTop = (text.scrollHeight / lines.length) * Math.max(0, number - 3);
});
