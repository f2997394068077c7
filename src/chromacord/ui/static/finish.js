// Finishing stages, named like their options. They take effect in renders; those of the mask's edge also in the viewer.

const SHADOW = [["Amount", 0, 1, 0.05, 0.5], ["Angle", -360, 360, 1, 60], ["Length", 0, 4000, 1, 40], ["Blur", 0, 1000, 1, 24]];
/** Option, title, purpose, and its numbers: name, minimum, maximum, step and the meaning of an empty field. */
const FIELDS = [
  ["edge", "Edge", "pixels", [["Shrink", -100, 100, 0.5, 0], ["Soften", 0, 100, 0.5, 0]]],
  ["fit_edge", "Fit edge", "pixels within which the mask's edge is fitted to the picture", [["Within", 1, 16, 1, 4]], "composite"],
  ["wrap", "Light wrap", "light of the background over the foreground's edge", [["Amount", 0, 1, 0.05, 0.4], ["Radius", 1, 500, 1, 16]]],
  ["contact_shadow", "Shadow", "amount, degrees clockwise from right, length and blur in pixels", SHADOW, "layers"],
];
const CHECKS = [
  ["match_sharpness", "Match sharpness", "Soften a foreground that is sharper than its background"],
  ["sharpen", "Sharpen", "With matched sharpness, also sharpen a foreground that is softer than its background"],
  ["match_grain", "Match grain", "Give the foreground the noise of its background"],
  ["decontaminate", "Take out the old background", "From soft pixels of the layer", "layers"],
];
const SPILL = { "": "keep", auto: "find the colour", green: "green screen", blue: "blue screen" };

export class Finish {
  constructor(place, onChange) {
    Object.assign(this, { place, onChange, rows: [], inputs: {} });
    for (const [option, title, unit, numbers, kind] of FIELDS) this.numbers(option, title, unit, numbers, kind);
    const spill = this.row("despill", "Spill", "layers", "select");
    for (const [value, text] of Object.entries(SPILL)) spill.append(Object.assign(document.createElement("option"), { value, textContent: text }));
    spill.addEventListener("change", () => onChange({ despill: spill.value || null }));
    this.inputs.despill = [spill];
    for (const [option, title, what, kind] of CHECKS) this.check(option, title, what, kind);
  }

  label(text, target) { return Object.assign(document.createElement("label"), { textContent: text, htmlFor: target }); }

  row(option, title, kind, tag) {
    const row = document.createElement("div"), input = document.createElement(tag);
    input.id = `finish-${option}`;
    row.className = "fields";
    row.append(this.label(title, input.id), input);
    this.add(row, kind);
    return input;
  }

  add(row, kind) {
    row.dataset.kind = kind ?? "any";
    this.rows.push(row);
    this.place.append(row);
  }

  numbers(option, title, unit, numbers, kind) {
    const row = document.createElement("div"), cells = document.createElement("span");
    row.className = "fields";
    cells.className = "row";
    this.inputs[option] = numbers.map(([name, min, max, step], place) => {
      const input = Object.assign(document.createElement("input"), { type: "number", min, max, step, placeholder: name.toLowerCase(), title: `${name}; ${unit}` });
      if (place === 0) input.id = `finish-${option}`;
      input.setAttribute("aria-label", `${title}: ${name.toLowerCase()}`);
      input.addEventListener("change", () => this.onChange({ [option]: this.value(option, numbers) }));
      cells.append(input);
      return input;
    });
    row.append(this.label(title, `finish-${option}`), cells);
    this.add(row, kind);
  }

  check(option, title, what, kind) {
    const row = document.createElement("label"), input = Object.assign(document.createElement("input"), { type: "checkbox", id: `finish-${option}` });
    row.className = "check";
    row.title = what;
    input.addEventListener("change", () => this.onChange({ [option]: input.checked || null }));
    row.append(input, ` ${title}`);
    this.inputs[option] = [input];
    this.add(row, kind);
  }

  /** Return an option's value; null where no number is given. */
  value(option, numbers) {
    const given = this.inputs[option].map((input) => input.value);
    if (given.every((text) => text === "")) return null;
    const values = given.map((text, place) => (text === "" ? numbers[place][4] : Number(text)));
    return option === "fit_edge" ? values[0] : values.join(",");
  }

  /** Load the options of a session, and show those that its kind of clip (composite or layers) supports. */
  load(options, isLayered) {
    for (const row of this.rows) row.hidden = row.dataset.kind === (isLayered ? "composite" : "layers");
    for (const [option, inputs] of Object.entries(this.inputs)) {
      const parts = String(options[option] ?? "").split(",");
      inputs.forEach((input, place) => {
        if (input.type === "checkbox") input.checked = options[option] === true;
        else input.value = parts[place]?.trim() ?? "";
      });
    }
  }
}
