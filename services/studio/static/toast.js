/* Says something for eight seconds, longer while looked at; never the only place of an error. */
const SHOWN_MS = 8000;
const MOST = 3;

export function toast(text, act) {
  const box = document.createElement("div");
  box.className = "toast";
  box.append(text);
  if (act) {
    const button = document.createElement("button");
    button.className = "btn quiet";
    button.textContent = act.word;
    button.addEventListener("click", () => { box.remove(); act.run(); });
    box.append(button);
  }
  show(box);
}

/** Put a toast on the shelf for its time; one that came with the page too. */
export function show(box) {
  const shelf = document.getElementById("toasts");
  shelf.append(box);
  while (shelf.children.length > MOST) shelf.firstChild.remove();
  const leave = () => setTimeout(() => (box.matches(":hover, :focus-within") ? leave() : box.remove()), SHOWN_MS);
  leave();
}
