// Keeps the videos of a comparison in step: what is done to one of them (play, pause, seek, speed) is done to all, and at most one
// has its sound on.

const DRIFT = 0.08; // seconds apart at which a video is put right while it plays; they differ by less than two frames of 24
const SAME = 0.02; // seconds that a seek may differ from where the others are

class InStep {
  constructor(root) {
    this.root = root;
    this.leader = null; // the one that was used last
    this.audible = null;
    this.ours = new WeakMap(); // for each video the events that we caused, so that they cause no others
  }

  videos() {
    return [...this.root.querySelectorAll("video")];
  }

  others(video) {
    return this.videos().filter((other) => other !== video);
  }

  cause(video, type) {
    const caused = this.ours.get(video) ?? {};
    caused[type] = (caused[type] ?? 0) + 1;
    this.ours.set(video, caused);
  }

  caused({ type, target }) {
    const caused = this.ours.get(target);
    if (!caused?.[type]) return false;
    caused[type] -= 1;
    return true;
  }

  move(video, seconds) {
    const within = Number.isFinite(video.duration) ? Math.min(seconds, video.duration) : seconds;
    if (Math.abs(video.currentTime - within) <= SAME) return;
    this.cause(video, "seeking");
    video.currentTime = within;
  }

  play(video) {
    if (!video.paused) return;
    this.cause(video, "play");
    // A page may not start a sound that nobody has touched; the chosen one plays already.
    video.muted = video !== this.audible;
    video.play().catch(() => {});
  }

  pause(video) {
    if (video.paused) return;
    this.cause(video, "pause");
    video.pause();
  }

  listen(event) {
    const video = event.target;
    if (video.tagName !== "VIDEO" || this.caused(event)) return;
    const others = this.others(video);
    if (event.type === "play") {
      this.leader = video;
      if (!this.audible && !video.muted) this.audible = video;
      for (const other of others) {
        this.move(other, video.currentTime);
        if (video.currentTime < (other.duration || Infinity)) this.play(other);
      }
    } else if (event.type === "pause" && !video.ended) {
      for (const other of others) {
        this.pause(other);
        this.move(other, video.currentTime);
      }
    } else if (event.type === "seeking") {
      this.leader = video;
      for (const other of others) this.move(other, video.currentTime);
    } else if (event.type === "ratechange") {
      for (const other of others) other.playbackRate = video.playbackRate; // the same again is no event
    } else if (event.type === "volumechange" && !video.muted && video.volume > 0) {
      this.audible = video;
      for (const other of others) other.muted = true;
    } else if (event.type === "timeupdate" && video === this.leader && !video.paused) {
      for (const other of others)
        if (!other.paused && !other.seeking && Math.abs(other.currentTime - video.currentTime) > DRIFT)
          this.move(other, video.currentTime);
    } else if (event.type === "ended" && video === this.leader) {
      this.leader = others.find((other) => !other.paused) ?? video; // a longer one
    }
  }
}

const EVENTS = ["play", "pause", "seeking", "ratechange", "volumechange", "timeupdate", "ended"];

function render({ model, el }) {
  const listening = new AbortController();
  let frame = 0;
  const arm = () => {
    const root = el.closest(`.${model.get("root")}`);
    if (!root) {
      frame = requestAnimationFrame(arm); // not in the page yet
      return;
    }
    const step = new InStep(root);
    // On the way down: events of media do not come up.
    for (const type of EVENTS)
      root.addEventListener(type, (event) => step.listen(event), { capture: true, signal: listening.signal });
    model.set("running", true);
    model.save_changes();
  };
  arm();
  return () => {
    cancelAnimationFrame(frame);
    listening.abort();
  };
}

export default { render };
