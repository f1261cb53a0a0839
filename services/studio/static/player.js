/* The transport of a player: of one video, or of two that are to show the same frame. */

const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];
const RATES = [24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60];
const FIELDS = "input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable]";
const TRIES = 4;

/** Whether a key is meant for us: not for a field, not a chord, and single keys are not switched off. */
export function isOurs(/** @type {KeyboardEvent} */ event) {
  const typed = event.target instanceof Element && event.target.closest(FIELDS);
  return !(typed || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented
    || localStorage.getItem("keys") === "off");
}

/** 75.5 as `1:15.12`: minutes, seconds and frames. */
export function timecode(/** @type {number} */ seconds, /** @type {number} */ fps) {
  const frame = Math.floor(seconds * fps + 0.01), each = Math.round(fps);
  const whole = Math.floor(frame / each), rest = frame % each;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${String(rest).padStart(2, "0")}`;
}

export class Player {
  constructor(/** @type {HTMLElement} */ root) {
    this.root = root;
    const videos = /** @type {HTMLVideoElement[]} */ ([...root.querySelectorAll("video")]);
    this.heard = videos[0];
    this.videos = videos.sort((one, other) => Number(other.dataset.seconds ?? 0) - Number(one.dataset.seconds ?? 0));
    this.lead = this.videos[0];
    this.fps = Number(root.dataset.fps) || 24;
    this.scrub = root.querySelector("[data-scrub]");
    this.clock = root.querySelector("[data-clock]");
    this.speed = root.querySelector("[data-speed]");
    this.shuttle = 0;
    this.#show();
    this.#listen();
    this.say();
  }

  get length() { return Number(this.scrub.max); }
  get time() { return this.lead.currentTime; }
  get frame() { return Math.floor(this.time * this.fps + 0.01); }
  get silent() { return this.videos.every((video) => video.muted); }
  get playing() { return !this.lead.paused || this.shuttle !== 0; }

  async play() {
    this.#halt();
    if (this.lead.ended || this.time >= this.length - 0.5 / this.fps) this.seek(0);
    for (const video of this.videos) video.playbackRate = Number(this.speed.value);
    this.#align();
    await Promise.all(this.videos.map((video) => this.#fits(video) ? video.play().catch(() => {}) : null));
  }

  pause() {
    const was = this.playing;
    this.#halt();
    for (const video of this.videos) video.pause();
    if (was) this.show(this.frame);
  }

  toggle() { this.playing ? this.pause() : this.play(); }

  /** Show this frame, in all of them. Its middle is asked for: its edge may be the frame before. */
  show(/** @type {number} */ frame) {
    const last = Math.max(0, Math.round(this.length * this.fps) - 1);
    this.seek((Math.min(Math.max(0, frame), last) + 0.5) / this.fps);
  }

  seek(/** @type {number} */ seconds) {
    for (const video of this.videos) {
      if (video.preload === "none") video.preload = "auto";
      video.currentTime = Math.min(seconds, Number.isFinite(video.duration) ? video.duration - 0.5 / this.fps : seconds);
    }
    this.say();
  }

  step(/** @type {number} */ frames) { this.pause(); this.show(this.frame + frames); }

  faster(/** @type {number} */ by) {
    const at = SPEEDS.indexOf(Number(this.speed.value));
    this.#setSpeed(SPEEDS[Math.min(Math.max(0, at + by), SPEEDS.length - 1)]);
  }

  /** J and L: backwards and forwards, twice as fast each time. */
  shuttleBy(/** @type {1 | -1} */ way) {
    if (way > 0) {
      if (this.playing && this.shuttle === 0) this.faster(1); else this.play();
      return;
    }
    const faster = this.shuttle < 0 ? Math.max(-4, this.shuttle * 2) : -1;
    for (const video of this.videos) video.pause();
    this.#halt();
    this.shuttle = faster;
    const from = this.time, since = performance.now();
    const back = () => {
      if (this.shuttle !== faster) return;
      const place = from + faster * (performance.now() - since) / 1000;
      if (!this.lead.seeking) this.seek(Math.max(0, place));
      place > 0 ? requestAnimationFrame(back) : this.#halt();
    };
    requestAnimationFrame(back);
    this.say();
  }

  /** What each key does; true when it did something. */
  key(/** @type {KeyboardEvent} */ event) {
    const acts = {
      " ": () => this.toggle(), k: () => this.pause(), j: () => this.shuttleBy(-1), l: () => this.shuttleBy(1),
      ArrowLeft: () => this.seek(Math.max(0, this.time - 1)), ArrowRight: () => this.seek(Math.min(this.length, this.time + 1)),
      ",": () => this.step(-1), ".": () => this.step(1), "<": () => this.faster(-1), ">": () => this.faster(1),
      m: () => this.act("mute"), f: () => this.act("full"), c: () => this.act("captions"), p: () => this.act("pip"),
      Home: () => this.seek(0), End: () => this.show(Infinity),
    };
    const does = acts[event.key];
    const onButton = event.key === " " && event.target.closest("button, a, summary");
    if (!does || onButton || !isOurs(event) || (/^[cp]$/.test(event.key) && !this.#knob(ACTS[event.key]))) return false;
    event.preventDefault();
    does();
    return true;
  }

  act(/** @type {string} */ name) {
    const knob = this.#knob(name);
    if (!knob || knob.hidden) return;
    ({
      play: () => this.toggle(), back: () => this.step(-1), forward: () => this.step(1),
      mute: () => {
        const silent = this.silent;
        for (const video of this.videos) video.muted = !silent || video !== this.heard;
      },
      full: () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen()),
      captions: () => { const track = this.lead.textTracks[0]; track.mode = track.mode === "showing" ? "hidden" : "showing"; },
      pip: () => (document.pictureInPictureElement ? document.exitPictureInPicture() : this.lead.requestPictureInPicture()),
    })[name]();
    this.say();
  }

  /** Say where it is and how it stands. */
  say() {
    if (document.activeElement !== this.scrub || !this.dragged) this.scrub.value = String(this.time);
    const told = timecode(this.time, this.fps);
    this.clock.textContent = `${told} / ${timecode(this.length, this.fps)}`;
    this.scrub.setAttribute("aria-valuetext", told);
    this.#mark("play", this.playing ? "pause" : "play", this.playing ? "Pause" : "Play");
    this.#mark("mute", this.silent ? "muted" : "sound", this.silent ? "Sound on" : "Sound off");
    this.#knob("captions")?.setAttribute("aria-pressed", String(this.lead.textTracks[0]?.mode === "showing"));
    this.root.dispatchEvent(new CustomEvent("player:at", { detail: { time: this.time, frame: this.frame } }));
  }

  #knob(name) { return this.root.querySelector(`[data-act="${name}"]`); }

  #mark(name, icon, label) {
    const knob = this.#knob(name), use = knob.querySelector("use");
    const href = use.getAttribute("href").replace(/#.*/, `#${icon}`);
    if (use.getAttribute("href") !== href) use.setAttribute("href", href);
    if (knob.getAttribute("aria-label") !== label) knob.setAttribute("aria-label", label);
  }

  #show() {
    for (const video of this.videos) video.controls = false;
    this.root.querySelector(".transport").hidden = false;
    const captions = this.#knob("captions"), pip = this.#knob("pip");
    if (captions) captions.hidden = !this.lead.textTracks.length;
    if (pip) pip.hidden = !document.pictureInPictureEnabled;
  }

  #listen() {
    this.root.addEventListener("click", (event) => {
      const knob = event.target.closest("[data-act]");
      if (knob) this.act(knob.dataset.act);
      else if (event.target.tagName === "VIDEO") { this.toggle(); this.root.focus({ preventScroll: true }); }
    });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.scrub.addEventListener("input", () => {
      const was = this.playing;
      this.dragged = true;
      if (was) for (const video of this.videos) video.pause();
      this.show(Math.floor(Number(this.scrub.value) * this.fps));
    });
    this.scrub.addEventListener("change", () => { this.dragged = false; });
    this.speed.addEventListener("change", () => this.#setSpeed(Number(this.speed.value)));
    for (const name of ["timeupdate", "play", "pause", "seeked", "volumechange"])
      this.lead.addEventListener(name, () => this.say());
    this.lead.addEventListener("ended", () => { for (const video of this.videos) video.pause(); this.say(); });
    for (const video of this.videos) this.#renew(video);
    this.#watchFrames();
  }

  #setSpeed(speed) {
    this.speed.value = String(speed);
    for (const video of this.videos) video.playbackRate = speed;
  }

  #halt() { this.shuttle = 0; }

  #fits(video) { return !(video.duration <= this.time); }

  #align() {
    for (const video of this.videos.slice(1)) {
      const place = Math.min(this.time, (video.duration || Infinity) - 0.5 / this.fps);
      if (Math.abs(video.currentTime - place) > 0.25 / this.fps) video.currentTime = place;
    }
  }

  /** Each frame that is shown tells the rate, moves the clock, and keeps the other video in step. */
  #watchFrames() {
    let before = null;
    const shown = (_now, about) => {
      if (before && about.presentedFrames === before.presentedFrames + 1 && !this.lead.paused) this.#learn(about.mediaTime - before.mediaTime);
      before = about;
      if (!this.lead.paused) { this.#keepStep(); this.say(); }
      this.lead.requestVideoFrameCallback(shown);
    };
    this.lead.requestVideoFrameCallback?.(shown);
  }

  #learn(seconds) {
    if (this.root.dataset.fps || seconds <= 0) return;
    const rate = RATES.find((one) => Math.abs(1 / one - seconds) < 0.0006);
    if (rate) { this.fps = rate; this.root.dataset.fps = String(rate); }
  }

  #keepStep() {
    const speed = Number(this.speed.value);
    for (const video of this.videos.slice(1)) {
      if (video.paused || video.seeking) continue;
      const gap = this.time - video.currentTime;
      if (Math.abs(gap) > 0.2) video.currentTime = this.time;
      else video.playbackRate = Math.abs(gap) < 0.25 / this.fps ? speed : speed * (1 + Math.sign(gap) * Math.min(0.3, Math.abs(gap) * 3));
    }
  }

  /** Signed addresses end: one that fails is asked for again, and goes on where it was. */
  #renew(video) {
    let tries = 0;
    const again = () => {
      if (tries++ >= TRIES) return;
      const place = video.currentTime, played = !video.paused;
      setTimeout(() => {
        video.load();
        video.currentTime = place;
        if (played) this.play();
      }, 500 * tries);
    };
    video.addEventListener("playing", () => { tries = 0; });
    video.addEventListener("error", again);
    if (video.error) again();  // it failed before anybody listened
  }
}

const ACTS = { c: "captions", p: "pip" };

for (const root of document.querySelectorAll("[data-player]")) root.player = new Player(root);
