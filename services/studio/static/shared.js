/* The player of a shared film: chapters lead into it, and the address of its video is renewed when it has ended. */
const film = document.querySelector("video");
const chapters = [...document.querySelectorAll("[data-at]")];
let left = null, failures = 0, wellFrom = 0;

/* Browsers may refuse what no hand has asked for; the player's own button is there. */
const play = () => film.play().catch(() => {});

for (const chapter of chapters)
  chapter.addEventListener("click", (event) => {
    event.preventDefault();
    film.currentTime = Number(chapter.dataset.at);
    play();
  });

film.addEventListener("timeupdate", () => {
  if (film.currentTime > wellFrom) failures = 0;
  const here = chapters.findLast((chapter) => Number(chapter.dataset.at) <= film.currentTime + 0.01);
  for (const chapter of chapters) chapter === here ? (chapter.ariaCurrent = "true") : chapter.removeAttribute("aria-current");
});

/* The video's own address is good for ten minutes: ours leads to another, unless the link has ended meanwhile. */
function again() {
  if (++failures > 2) return void (document.querySelector("[data-ended]").hidden = false);
  left ??= { at: film.currentTime, plays: !film.paused };
  film.load();
}
film.addEventListener("error", again);
if (film.error) again();  // it failed before anybody listened
film.addEventListener("loadedmetadata", () => {
  if (!left) return;
  film.currentTime = left.at;
  if (left.plays) play();
  wellFrom = left.at + 1;
  left = null;
});
