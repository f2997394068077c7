// One clip in the page: loads pictures and grades, passes them with manual changes to the viewer, and saves changes.

import { get, send } from "./api.js";
import { Frames } from "./frames.js";
import { Hands } from "./hands.js";
import { NEUTRAL, turnedField, turnedLut } from "./look.js";

const REST = 250;      // milliseconds after which a resting playhead shows the exact picture
const SAVE = 250;      // milliseconds between a change and its save
const DRAWN = 150;     // milliseconds after which an uploaded picture is on the screen
const AHEAD = 8;

export class Page extends EventTarget {
  constructor({ viewer, player, sliders, scopes, turning, notice }) {
    super();
    Object.assign(this, { viewer, player, sliders, scopes, turning, notice });
    this.clip = null;
    this.asked = -1;
    this.bypass = false;
    this.saved = Promise.resolve();
    this.saves = 0;        // requests and answers of saves so far
    player.show = (frame) => this.show(frame);
    viewer.onRestore = () => { this.applyLook(); this.show(this.player.frame); };
  }

  /** Show a clip, as described by the server. */
  async open(clip) {
    this.player.stop();
    this.clip = clip;
    location.hash = clip.id;
    const { info, session } = clip;
    this.frames = new Frames(clip.id);
    this.viewer.size = { width: info.width, height: info.height, aspect: info.aspect };
    this.look = { kind: "none" };
    this.viewer.setNoGrade();
    this.viewer.fit();
    this.player.from = 0;
    this.player.to = Infinity;
    this.player.load(clip.frames ?? 1, info.rate);
    if (session.options?.frames) this.player.setRange(session.options.frames[0] ?? 0, session.options.frames[1] ?? this.player.count);
    this.hands = new Hands(session.options);
    this.shot = null;
    this.editShot(null);
    this.asked = -1;
    this.player.frame = Math.min(this.player.from, this.player.count - 1);
    this.changed("open");
    for (const warning of clip.warnings ?? []) this.notice(warning);
    await this.showExact(this.player.frame);
    // The server starts to analyse once it is asked, which would hold back the drawing of the picture.
    setTimeout(() => this.watch(), DRAWN);
  }

  changed(what) { this.dispatchEvent(new CustomEvent(what)); }

  /** Poll the progress of analysis and proxy until both have ended. */
  async watch() {
    const { clip } = this;
    // Saves call this too; a second loop would poll twice as often.
    if (this.watching === clip.id) return;
    this.watching = clip.id;
    try {
      while (this.clip?.id === clip.id) {
        const { saves } = this, found = await get(`/api/clips/${clip.id}`);
        if (saves === this.saves) {  // else it may be older than the answer to the save, and end the loop too early
          this.update(found);
          if (!this.isWorking()) break;
        }
        await new Promise((done) => setTimeout(done, 250));
      }
    } catch (error) {
      this.notice(error.message);
    } finally {
      this.watching = null;
    }
  }

  isWorking() {
    const busy = (task) => task && ["waiting", "running", "paused"].includes(task.state);
    return busy(this.clip.analysis) || busy(this.clip.proxy);
  }

  update(clip) {
    const isOther = clip.pictures !== this.clip.pictures;
    const isNew = clip.version !== this.clip.version || (clip.shots && !this.clip.shots);
    const failed = [clip.analysis, clip.proxy].find((task) => task?.state === "failed");
    if (failed && failed.error !== this.failure) this.notice(failed.error, true);
    this.failure = failed?.error;
    const isLonger = clip.frames && clip.frames !== this.clip.frames;
    const isWhole = this.player.to >= this.player.count;
    // Keep the page's session: it is newer than the response if sliders moved during the save.
    this.clip = { ...clip, session: this.clip.session };
    if (isLonger) {
      if (isWhole) this.player.to = Infinity;
      this.player.load(clip.frames, clip.info.rate);
    }
    if (isOther) {
      this.frames = new Frames(clip.id);
      this.exactFrame = -1;
      this.show(this.player.frame);
    } else if (isNew) {
      this.frames.forgetLooks();
    }
    if (isNew) this.fetchLook(this.player.frame);
    this.changed("update");
  }

  /** Show a frame: the small picture at once, the exact one when the playhead rests. Return whether it was already loaded. */
  show(frame) {
    if (!this.clip) return false;
    clearTimeout(this.resting);
    this.leaving?.abort();
    const isPlaying = this.player.speed !== 0;
    if (isPlaying) {
      for (let ahead = 1; ahead <= AHEAD; ahead++) this.prepare(frame + ahead * Math.sign(this.player.speed));
      const isThere = this.frames.has(frame);
      this.load(frame).then((loaded) => this.player.speed && this.player.frame === frame && this.put(frame, ...loaded), () => {});
      return isThere;
    }
    this.showSmall(frame);
    return true;
  }

  /** Preload small pictures that may be needed next. */
  prepare(frame) {
    // Ignore errors here; they are shown when the frame itself is requested.
    if (frame >= 0 && frame < this.player.count) this.frames.get(frame).catch(() => {});
  }

  /** Return pictures and grade of a frame together, so that both always belong to the same frame. */
  load(frame) { return Promise.all([this.frames.get(frame), this.lookOf(frame)]); }

  /** Return the grade of a frame; on failure, report it and return the current grade. */
  lookOf(frame) {
    return this.frames.look(frame, this.clip.version).catch((error) => { this.notice(error.message, true); return this.look; });
  }

  /** Load small pictures one at a time, always the most recently requested one. */
  async showSmall(frame) {
    this.asked = frame;
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      for (let wanted = -1; wanted !== this.asked;) {
        wanted = this.asked;
        const { frames } = this;
        const loaded = await this.load(wanted);
        if (frames === this.frames && this.exactFrame !== wanted) this.put(wanted, ...loaded);
      }
    } catch (error) {
      this.notice(error.message, true);
    } finally {
      this.isLoading = false;
      // Wait for the small picture first: decoding uses all cores.
      clearTimeout(this.resting);
      if (!this.player.speed) this.resting = setTimeout(() => this.showExact(this.player.frame), REST);
    }
  }

  async showExact(frame) {
    const { frames } = this;
    this.leaving?.abort();
    const leaving = (this.leaving = new AbortController());
    try {
      const [packet, look] = await Promise.all([frames.getExact(frame, leaving.signal), this.lookOf(frame)]);
      // Another clip or frame may have been chosen meanwhile.
      if (!packet || leaving.signal.aborted || frames !== this.frames) return;
      this.put(frame, packet, look);
      this.exactFrame = frame;
      this.changed("exact");
      this.prepare(frame + 1);
      this.prepare(frame - 1);
    } catch (error) {
      this.notice(error.message, true);
    }
  }

  put(frame, packet, look) {
    this.exactFrame = -1;
    this.shownFrame = frame;
    this.viewer.show(packet);
    if (look !== this.look && look.version === this.clip.version) {  // else a newer grade is on its way
      this.look = look;
      this.applyLook();
    }
    this.viewer.request();
    this.changed("picture");
  }

  async fetchLook(frame) {
    const { frames } = this;
    try {
      const look = await frames.look(frame, this.clip.version);
      // While playing, the grade of the previous frame is close enough; one of an earlier frame is too old.
      if (frames !== this.frames || look === this.look || Math.abs(frame - this.player.frame) > 1) return;
      this.look = look;
      this.applyLook();
    } catch (error) {
      this.notice(error.message, true);
    }
  }

  /** Apply the manual changes to the grade and pass it to the viewer. */
  applyLook() {
    const { look, viewer, turning } = this;
    this.hands.keep(this.sliders.hand);
    const hand = this.bypass ? NEUTRAL : this.hands.of(this.shotAt(this.player.frame));
    if (look?.kind === "lut") viewer.setLut(turnedLut(look.values, look.shape[0], hand, turning), look.shape[0]);
    else if (look?.kind === "field") viewer.setField(turnedField(look.values, hand, turning), look.shape);
    else viewer.setNoGrade();
    this.sliders.allowContrast(look?.kind !== "field");
    viewer.request();
    this.changed("look");
  }

  /** Return the number of the shot that contains a frame, counted from 1; 0 if there is none. */
  shotAt(frame) { return 1 + (this.clip.shots ?? []).findIndex((shot) => shot.start <= frame && frame < shot.stop); }

  /** Make the sliders edit one shot, which gets its own changes; without a number, the clip. */
  editShot(number) {
    this.hands.edited = number;
    if (number !== null && !this.hands.own.has(number)) this.hands.own.set(number, { ...this.hands.clip });
    this.sliders.load(this.hands.shown);
    this.changed("edited");
  }

  /** Remove a shot's own changes. */
  freeShot(number) {
    this.hands.own.delete(number);
    this.editShot(null);
    this.turned();
  }

  /** When the playhead reaches another shot, show that shot's values in the sliders. */
  enterShot(number) {
    this.shot = number;
    this.editShot(this.hands.own.has(number) ? number : null);
    this.applyLook();
  }

  /** When a slider moves, draw now and save soon. */
  turned() {
    this.applyLook();
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.save(), SAVE);
  }

  /** Set options that the analysis depends on, or all options. */
  setOptions(changes) {
    const options = { ...this.clip.session.options, ...changes };
    for (const name of Object.keys(options)) if (options[name] === null || options[name] === "") delete options[name];
    this.clip.session = { ...this.clip.session, options };
    return this.save();
  }

  async save() {
    if (!this.clip) return;
    clearTimeout(this.saving);
    this.hands.keep(this.sliders.hand);
    // The sliders hold the current manual changes, so drop all stored ones, neutral ones too.
    const kept = Object.fromEntries(Object.entries(this.clip.session.options ?? {}).filter(([name]) => !["strength", "by_shot"].includes(name) && !(name in NEUTRAL)));
    const session = { ...this.clip.session, options: { ...kept, ...this.hands.options() } };
    this.clip.session = session;
    const { id } = this.clip;
    // One after the other: a change that overtakes a later one would undo it.
    this.saved = this.saved.then(() => this.sendSession(id, session));
    await this.saved;
  }

  async sendSession(id, session) {
    try {
      this.saves += 1;
      const clip = await send(`/api/clips/${id}`, session, "PUT");
      this.saves += 1;
      if (this.clip.id !== id) return;  // another clip was opened meanwhile
      this.update(clip);
      this.watch();
    } catch (error) {
      this.notice(error.message, true);
    }
  }
}
