// The playhead: stepping, playing in both directions, in and out points.

export class Player {
  constructor(show) {
    this.show = show;      // called with a frame; returns whether it is loaded
    this.frame = 0;
    this.count = 1;
    this.rate = 25;
    this.speed = 0;        // speed factor; negative plays backwards
    this.from = 0;
    this.to = 1;           // half-open
    this.onChange = () => {};
  }

  load(count, rate) {
    Object.assign(this, { count: Math.max(1, count), rate });
    this.to = Math.min(this.to, this.count);
    this.frame = Math.min(this.frame, this.count - 1);
  }

  setRange(from, to) {
    this.from = Math.min(Math.max(0, from), this.count - 1);
    this.to = Math.min(Math.max(this.from + 1, to), this.count);
  }

  seek(frame) {
    this.frame = Math.min(Math.max(0, Math.round(frame)), this.count - 1);
    this.show(this.frame);
    this.onChange();
  }

  step(frames) {
    this.stop();
    this.seek(this.frame + frames);
  }

  play(speed = 1) {
    this.speed = speed;
    this.started = null;
    if (!this.running) { this.running = true; requestAnimationFrame((now) => this.tick(now)); }
    this.onChange();
  }

  stop() {
    if (this.speed === 0) return;
    this.speed = 0;
    this.onChange();
    this.show(this.frame);
  }

  toggle() { this.speed ? this.stop() : this.play(1); }

  /** J and L: play, and faster each time. */
  shuttle(direction) {
    const same = Math.sign(this.speed) === direction;
    this.play(same ? Math.min(8, Math.abs(this.speed) * 2) * direction : direction);
  }

  tick(now) {
    if (!this.speed) { this.running = false; return; }
    this.started ??= { now, frame: this.frame };
    const length = this.to - this.from;
    // Use the clock instead of counting refreshes: display and clip rates differ, and displays skip refreshes.
    const passed = Math.floor(((now - this.started.now) / 1000) * this.rate * Math.abs(this.speed)) * Math.sign(this.speed);
    // JavaScript's remainder keeps the sign, so it is made positive for playing backwards.
    const wanted = this.from + ((((this.started.frame + passed - this.from) % length) + length) % length);
    if (wanted !== this.frame) {
      if (this.show(wanted)) { this.frame = wanted; this.onChange(); }
      else if (now - this.started.now > 500) this.started = { now, frame: this.frame };  // not loaded yet: go on from here
    }
    requestAnimationFrame((later) => this.tick(later));
  }
}
