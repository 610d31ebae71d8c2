// The sound of alarms that nobody has seen yet: made by the browser, so that no file is needed.

/** Seconds between two sounds, by loudness: a note sounds once, the others until somebody has acknowledged them. */
const REPEAT_S = [null, 20, 8];
const TUNES = [[[660, 0.15]], [[660, 0.15], [520, 0.2]], [[880, 0.15], [660, 0.15], [880, 0.15], [660, 0.25]]];
const VOLUME = 0.3;
const SILENT = 0.0001;

/** Sounds for what was shown to it last; browsers want a click before anything may sound. */
export class Siren {
  constructor() { this.context = null; this.timer = null; this.loudest = -1; this.newestUs = 0; }

  get isOn() { return this.context !== null; }

  /** Switches it; must be called from a click. */
  switch() {
    if (this.context) {
      this.context.close();
      this.context = null;
    } else this.context = new AudioContext();
    this.#plan();
    return this.isOn;
  }

  /** How loud the loudest alarm is that nobody has acknowledged, 0 (info) to 2 (critical), -1 for none; and when the
   * newest of them began. A louder one sounds at once. */
  show(loudest, newestUs = 0) {
    const isLouder = loudest > this.loudest;
    const isQuieter = loudest < this.loudest;
    const isNewNote = loudest === 0 && newestUs > this.newestUs;
    this.loudest = loudest;
    this.newestUs = newestUs;
    if (isLouder || isNewNote) this.#plan();
    else if (isQuieter) this.#plan(false); // what sounded was acknowledged: the rest goes on in its own time
  }

  #plan(isNow = true) {
    clearInterval(this.timer);
    this.timer = null;
    if (!this.context || this.loudest < 0) return;
    if (isNow) this.#play();
    const repeat = REPEAT_S[Math.min(this.loudest, REPEAT_S.length - 1)];
    if (repeat) this.timer = setInterval(() => this.#play(), repeat * 1000);
  }

  #play() {
    if (this.context.state === "suspended") this.context.resume(); // after the machine slept
    let at = this.context.currentTime + 0.02;
    for (const [hertz, seconds] of TUNES[Math.min(this.loudest, TUNES.length - 1)]) {
      const tone = this.context.createOscillator();
      const volume = this.context.createGain();
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(SILENT, at);
      volume.gain.exponentialRampToValueAtTime(VOLUME, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(SILENT, at + seconds);
      tone.connect(volume).connect(this.context.destination);
      tone.start(at);
      tone.stop(at + seconds);
      at += seconds + 0.05;
    }
  }
}
