// Manual changes of the clip, and of shots that have their own, as options of a session.

import { NEUTRAL } from "./look.js";

const NAMES = Object.keys(NEUTRAL);

export class Hands {
  constructor(options = {}) {
    const { tone, colour } = parsedStrength(options.strength);
    this.clip = { ...NEUTRAL, tone, colour };
    for (const name of NAMES) if (typeof options[name] === "number") this.clip[name] = options[name];
    this.own = new Map();
    this.edited = null;  // a shot's number, counted from 1; null: the clip
    for (const text of [options.by_shot ?? []].flat()) this.read(text);
  }

  read(text) {
    const [, first, last, changes] = text.match(/^\s*(\d+)(?:-(\d+))?\s*:(.*)$/) ?? [];
    if (!first) return;
    const hand = { ...this.clip };
    for (const part of changes.split(",")) {
      const [name, value] = part.split("=").map((each) => each.trim());
      if (name === "strength") hand.tone = hand.colour = Number(value);
      else hand[name === "color" ? "colour" : name] = NAMES.includes(name) || name === "color" ? Number(value) : value;
    }
    for (let number = Number(first); number <= Number(last ?? first); number++) this.own.set(number, { ...hand });
  }

  /** Return the changes to a shot. */
  of(number) { return this.own.get(number) ?? this.clip; }

  /** Return the changes that the sliders edit. */
  get shown() { return this.edited === null ? this.clip : this.of(this.edited); }

  keep(hand) {
    if (this.edited === null) this.clip = { ...hand };
    else this.own.set(this.edited, { ...this.own.get(this.edited), ...hand });
  }

  /** Return the values that differ from the default, as options of a session. */
  options() {
    const { tone, colour, ...others } = this.clip;
    const changed = Object.fromEntries(Object.entries(others).filter(([name, value]) => value !== NEUTRAL[name]));
    if (tone !== 1 || colour !== 1) changed.strength = tone === colour ? tone : `tone=${tone},colour=${colour}`;
    const texts = [...this.own].sort(([one], [other]) => one - other).map(([number, hand]) => {
      const parts = Object.entries(hand).filter(([name, value]) => value !== this.clip[name]).map(([name, value]) => `${name}=${value}`);
      return parts.length ? `${number}:${parts.join(",")}` : null;
    }).filter(Boolean);
    if (texts.length) changed.by_shot = texts;
    return changed;
  }
}

function parsedStrength(strength) {
  if (typeof strength === "number") return { tone: strength, colour: strength };
  if (typeof strength !== "string") return { tone: 1, colour: 1 };
  if (!strength.includes("=")) return { tone: Number(strength), colour: Number(strength) };
  const parts = Object.fromEntries(strength.split(",").map((part) => part.split("=").map((each) => each.trim())));
  return { tone: Number(parts.tone ?? 1), colour: Number(parts.colour ?? parts.color ?? 1) };
}
