/* What hands.py asks of a page: an object of two functions, each of which tells what is wrong. */
({
  /** Where the focus is not there, not marked, out of sight, or behind something else; empty when it is well. */
  focus() {
    const it = document.activeElement;
    if (!it || it === document.body) return "nothing has the focus";
    if (it.matches("video")) return "";  // the browser marks its own player
    const named = `${it.tagName} ${it.id} ${it.ariaLabel ?? ""} ${it.textContent.trim().slice(0, 40)}`;
    const around = [];
    for (let up = it; up; up = up.parentElement) around.push(getComputedStyle(up));
    const isMarked = around.some((one) => one.outlineStyle !== "none" && parseFloat(one.outlineWidth) >= 2);
    if (!it.matches(":focus-visible") || !isMarked) return `${named}: its focus is not marked`;
    const box = it.getBoundingClientRect();
    const isIts = (one) => one && (it.contains(one) || [...(it.labels ?? [])].some((label) => label.contains(one)));
    const points = [0.1, 0.5, 0.9].flatMap((x) => [0.1, 0.5, 0.9].map((y) => [box.left + x * box.width, box.top + y * box.height]));
    return points.some(([x, y]) => isIts(document.elementFromPoint(x, y))) ? "" : `${named}: its focus is out of sight`;
  },

  /** What can be tapped and is smaller than so many pixels; links within a sentence may be. */
  small(least) {
    const size = (it) => {
      const labels = it.matches("[type=checkbox], [type=radio], [type=file]") ? [...it.labels] : [];
      const boxes = [it, ...labels].map((one) => one.getBoundingClientRect()).filter((one) => one.width && one.height);
      const span = (from, to) => Math.max(...boxes.map((one) => one[to])) - Math.min(...boxes.map((one) => one[from]));
      return [span("left", "right"), span("top", "bottom")].map(Math.round);
    };
    const isInSentence = (it) => it.matches("a") && getComputedStyle(it).display === "inline" && it.parentElement.matches("p, dd, li");
    const isWhole = (it) => getComputedStyle(it, "::after").position === "absolute";
    const isHidden = (it) => !it.checkVisibility({ visibilityProperty: true }) || it.matches("[aria-hidden=true] *, .skip, .sr")
      || !it.getBoundingClientRect().width;
    return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
      .filter((it) => !isHidden(it) && !isInSentence(it) && !isWhole(it))
      .map((it) => [it, ...size(it)]).filter(([, width, height]) => width < least || height < least)
      .map(([it, width, height]) => `${width} x ${height}: ${it.outerHTML.slice(0, 120)}`);
  },
})
