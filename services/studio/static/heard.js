/* Whoever presses a button sees at once that it was heard, however long the answer takes. */
const heard = (event, button) => setTimeout(() => event.defaultPrevented || button && (button.ariaBusy = "true"));
document.addEventListener("submit", (event) => heard(event, event.submitter));
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.btn:not([target], [href^='#'], [href^='/v1/'])");
  if (!event.ctrlKey && !event.metaKey && !event.shiftKey) heard(event, link);
});
addEventListener("pageshow", () => document.querySelectorAll("[aria-busy]").forEach((one) => { one.ariaBusy = null; }));
