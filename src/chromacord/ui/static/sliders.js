// Manual changes: a row with label, slider and number for each.

import { NEUTRAL } from "./look.js";

const ROWS = [
  ["exposure", "Exposure", -3, 3, 0.01, "stops", "After the grade"],
  ["temperature", "Temperature", -100, 100, 0.5, "mired; above 0 is warmer"],
  ["tint", "Tint", -50, 50, 0.5, "CC; above 0 is towards magenta"],
  ["contrast", "Contrast", 0.5, 2, 0.01, "around mid-grey"],
  ["saturation", "Saturation", 0, 2, 0.01, "factor"],
  ["black", "Black", -0.15, 0.15, 0.002, "new value of black"],
  ["tone", "Tone", 0, 1, 0.01, "of the change of brightness", "Strength of the grade"],
  ["colour", "Colour", 0, 1, 0.01, "of the change of colour"],
];

export class Sliders {
  constructor(place, limits, onChange) {
    this.hand = { ...NEUTRAL };
    this.rows = {};
    for (const [name, title, low, high, step, unit, group] of ROWS) {
      if (group) {
        const head = document.createElement("p");
        head.className = "group";
        head.textContent = group;
        place.append(head);
      }
      const row = document.createElement("div");
      row.className = "slider";
      const label = document.createElement("label"), range = document.createElement("input"), number = document.createElement("input");
      label.textContent = title;
      label.htmlFor = `slider-${name}`;
      Object.assign(range, { type: "range", id: `slider-${name}`, min: low, max: high, step });
      range.title = `${title}, ${unit}; double-click for ${NEUTRAL[name]}`;
      range.setAttribute("aria-description", unit);
      const [least, most] = limits[name] ?? [low, high];
      Object.assign(number, { type: "number", min: least, max: most, step, title: unit });
      number.setAttribute("aria-label", `${title}, ${unit}`);
      range.addEventListener("input", () => this.set(name, Number(range.value), onChange));
      range.addEventListener("dblclick", () => this.set(name, NEUTRAL[name], onChange));
      number.addEventListener("change", () => {
        const value = Number(number.value);
        this.set(name, Number.isFinite(value) && number.value !== "" ? Math.min(most, Math.max(least, value)) : NEUTRAL[name], onChange);
      });
      row.append(label, range, number);
      place.append(row);
      this.rows[name] = { row, range, number };
    }
    this.load({});
  }

  set(name, value, onChange) {
    this.hand[name] = value;
    this.show(name);
    onChange?.();
  }

  show(name) {
    const { row, range, number } = this.rows[name];
    range.value = this.hand[name];
    number.value = String(Math.round(this.hand[name] * 1000) / 1000);
    row.classList.toggle("changed", this.hand[name] !== NEUTRAL[name]);
  }

  /** Set values; all others get their default. */
  load(hand) {
    for (const name of Object.keys(NEUTRAL)) {
      this.hand[name] = hand[name] ?? NEUTRAL[name];
      this.show(name);
    }
  }

  allowContrast(isAllowed) {
    const { range, number } = this.rows.contrast;
    range.disabled = number.disabled = !isAllowed;
    number.title = isAllowed ? "around mid-grey" : "this method's grade varies over the picture; its contrast cannot be turned";
  }
}
