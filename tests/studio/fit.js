/* What of a page does not fit: too wide, cut off, out of reach, or one thing over another. */
() => {
  const found = [];
  const name = (one) => `${one.tagName.toLowerCase()}${one.id ? "#" + one.id : ""}${[...one.classList].map((it) => "." + it).join("")} “${(one.textContent || one.ariaLabel || "").trim().replace(/\s+/g, " ").slice(0, 40)}”`;
  const shown = (one) => one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && !one.closest(".sr, .skip, [aria-hidden=true]");
  const above = (one) => { const all = []; for (let it = one.parentElement; it; it = it.parentElement) all.push(it); return all; };
  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) found.push(`the page is ${document.documentElement.scrollWidth - wide} too wide`);
  const open = document.querySelector("dialog[open], details.menu[open] > .list") ?? document.body;

  for (const one of open.querySelectorAll("*")) {
    if (!shown(one) || one.closest("svg svg, svg > *")) continue;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (!box.width || !box.height || style.clipPath !== "none") continue;
    if ((box.right > wide + 1 || box.left < -1) && !above(one).some(scrolls)) found.push(`sticks out: ${name(one)}`);
    const words = one.textContent.trim() && !["SELECT", "OPTION", "TEXTAREA", "SVG"].includes(one.tagName.toUpperCase());
    const hides = (axis) => ["hidden", "clip"].includes(style["overflow" + axis]);
    if (words && !one.title && hides("X") && one.scrollWidth > one.clientWidth + 1) found.push(`cut off: ${name(one)}`);
    if (words && style.webkitLineClamp === "none" && hides("Y") && one.scrollHeight > one.clientHeight + 2) found.push(`cut off below: ${name(one)}`);
  }

  const acts = [...open.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter((one) => shown(one) && !one.disabled);
  for (const one of acts) {
    one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const boxes = [...one.getClientRects()].filter((box) => box.width && box.height);
    const there = (box) => {
      const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      return hit && (one.contains(hit) || hit.contains(one) && !getComputedStyle(hit).position.match(/fixed|sticky/) || hit.closest("label")?.control === one);
    };
    if (boxes.length && !boxes.some(there)) {
      const box = boxes[0];
      const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      found.push(`out of reach: ${name(one)}, under ${hit ? name(hit) : "the edge"}`);
    }
  }
  scrollTo(0, 0);

  const head = [...document.querySelectorAll(".head > *")].filter(shown).map((one) => [one, one.getBoundingClientRect()]).filter(([, box]) => box.width && box.height);
  for (let at = 1; at < head.length; at++) {
    const [[before, one], [after, other]] = head.slice(at - 1);
    if (other.bottom <= one.top || other.right <= one.left && other.top < one.bottom) found.push(`reached out of turn: ${name(before)}, then ${name(after)}`);
  }

  const lines = [];
  const walk = document.createTreeWalker(open, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const one = node.parentElement;
    if (!node.data.trim() || !shown(one) || one.closest("svg, select, textarea, [popover]")) continue;
    if (above(one).concat(one).some((it) => ["fixed", "sticky", "absolute"].includes(getComputedStyle(it).position))) continue;
    if (above(one).concat(one).some((it) => ["hidden", "clip", "auto", "scroll"].includes(getComputedStyle(it).overflowX) || ["hidden", "clip", "auto", "scroll"].includes(getComputedStyle(it).overflowY))) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 1) lines.push([one, box]);
  }
  lines.sort((a, b) => a[1].top - b[1].top);
  for (let at = 0; at < lines.length; at++)
    for (let next = at + 1; next < lines.length && lines[next][1].top < lines[at][1].bottom - 4; next++) {
      const [a, one] = lines[at], [b, other] = lines[next];
      if (a !== b && Math.min(one.right, other.right) - Math.max(one.left, other.left) > 2 && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 6)
        found.push(`one over the other: ${name(a)} and ${name(b)}`);
    }
  return [...new Set(found)];
}
