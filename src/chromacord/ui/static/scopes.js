// Waveform, parade, vectorscope and histogram, of foreground and background side by side.

const LUMA = [0.2126, 0.7152, 0.0722];
const TRACES = [[255, 105, 97], [119, 221, 119], [110, 150, 255]];
export const SCOPES = { waveform: "Waveform", parade: "Parade", vectorscope: "Vector", histogram: "Histogram" };
const WIDTH = 256, HEIGHT = 160, ROUND = 200;
const SKIN = 123;  // degrees from +Cb: the skin tone line, the same for all complexions

function lumaOf(data, place) {
  return LUMA[0] * data[place] + LUMA[1] * data[place + 1] + LUMA[2] * data[place + 2];
}

/** Draw counts as brightness. */
function plot(context, counts, tint, gain) {
  const { width, height } = context.canvas;
  const image = context.getImageData(0, 0, width, height);
  for (let place = 0; place < counts.length; place++) {
    if (!counts[place]) continue;
    // Saturating, like phosphor: single pixels stay visible beside areas of one colour.
    const light = 1 - Math.exp(-counts[place] * gain);
    for (let channel = 0; channel < 3; channel++) {
      image.data[4 * place + channel] = Math.min(255, image.data[4 * place + channel] + light * tint[channel]);
    }
  }
  context.putImageData(image, 0, 0);
}

function levels(context) {
  const { width, height } = context.canvas;
  context.fillStyle = "#2e2e2e";
  for (const share of [0, 0.25, 0.5, 0.75, 1]) context.fillRect(0, Math.round((height - 1) * (1 - share)), width, 1);
}

function wave(context, picture, isMine, value, left, right, tint) {
  const { width, height } = context.canvas;
  const counts = new Uint16Array(width * height);
  let number = 0;
  for (let pixel = 0; pixel < picture.width * picture.height; pixel++) {
    const place = 4 * pixel;
    if (!isMine(picture.data[place + 3])) continue;
    number++;
    const x = left + Math.floor(((pixel % picture.width) / picture.width) * (right - left));
    const y = Math.round((height - 1) * (1 - value(picture.data, place) / 255));
    counts[y * width + x]++;
  }
  plot(context, counts, tint, Math.min(1, (2600 * (right - left)) / WIDTH / Math.max(number, 1) + 0.12));
}

function waveform(context, picture, isMine) {
  levels(context);
  wave(context, picture, isMine, lumaOf, 0, context.canvas.width, [215, 215, 215]);
}

function parade(context, picture, isMine) {
  levels(context);
  const third = Math.floor(context.canvas.width / 3);
  for (let channel = 0; channel < 3; channel++) {
    wave(context, picture, isMine, (data, place) => data[place + channel], channel * third, (channel + 1) * third - 2, TRACES[channel]);
  }
}

function histogram(context, picture, isMine) {
  const { width, height } = context.canvas;
  const bins = [0, 1, 2].map(() => new Float32Array(128));
  for (let place = 0; place < picture.data.length; place += 4) {
    if (!isMine(picture.data[place + 3])) continue;
    for (let channel = 0; channel < 3; channel++) bins[channel][picture.data[place + channel] >> 1]++;
  }
  const sorted = bins.flatMap((each) => [...each]).sort((one, other) => one - other);
  // A percentile instead of the maximum: clipped black or white would flatten everything else.
  const top = Math.max(1, sorted[Math.floor(sorted.length * 0.985)] * 1.25);
  context.globalCompositeOperation = "lighter";
  bins.forEach((each, channel) => {
    context.fillStyle = `rgb(${TRACES[channel].map((value) => value * 0.62).join(" ")})`;
    each.forEach((count, bin) => {
      const tall = Math.min(1, count / top) * (height - 4);
      context.fillRect((bin / 128) * width, height - tall, width / 128, tall);
    });
  });
  context.globalCompositeOperation = "source-over";
}

function chroma(red, green, blue) {
  const luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue;
  // The divisors of BT.709, 2 (1 - Kb) and 2 (1 - Kr), by which Cb and Cr lie in -0.5 to 0.5.
  return [(blue - luma) / 1.8556, (red - luma) / 1.5748];
}

function graticule(context) {
  const half = context.canvas.width / 2, full = half * 0.94;
  context.strokeStyle = "#3a3a3a";
  for (const share of [0.25, 0.5, 0.75, 1]) {
    context.beginPath();
    context.arc(half, half, full * share, 0, 7);
    context.stroke();
  }
  context.beginPath();
  context.moveTo(half - full, half); context.lineTo(half + full, half);
  context.moveTo(half, half - full); context.lineTo(half, half + full);
  context.stroke();
  context.fillStyle = "#8a8a8a";
  context.font = "10px system-ui, sans-serif";
  for (const [name, color] of Object.entries({ R: [1, 0, 0], G: [0, 1, 0], B: [0, 0, 1], C: [0, 1, 1], M: [1, 0, 1], Y: [1, 1, 0] })) {
    const [cb, cr] = chroma(...color).map((value) => value * 0.75 * 2 * full);
    context.strokeStyle = "#6a6a6a";
    context.strokeRect(half + cb - 4, half - cr - 4, 8, 8);
    context.fillText(name, half + cb * 1.14 - 3, half - cr * 1.14 + 3);
  }
  context.strokeStyle = "#b0b0b0";
  context.beginPath();
  context.moveTo(half, half);
  context.lineTo(half + full * Math.cos((SKIN * Math.PI) / 180), half - full * Math.sin((SKIN * Math.PI) / 180));
  context.stroke();
}

function vectorscope(context, picture, isMine) {
  graticule(context);
  const { width, height } = context.canvas, half = width / 2, full = half * 0.94;
  const counts = new Uint16Array(width * height);
  for (let place = 0; place < picture.data.length; place += 4) {
    if (!isMine(picture.data[place + 3])) continue;
    const [cb, cr] = chroma(picture.data[place] / 255, picture.data[place + 1] / 255, picture.data[place + 2] / 255);
    const x = Math.round(half + cb * 2 * full), y = Math.round(half - cr * 2 * full);
    if (x >= 0 && y >= 0 && x < width && y < height) counts[y * width + x]++;
  }
  plot(context, counts, [225, 225, 225], 0.35);
}

const DRAW = { waveform, parade, vectorscope, histogram };

export class Scopes {
  constructor(choice, rows) {
    this.rows = rows;
    this.chosen = localStorage.getItem("scope") || "waveform";
    this.canvases = {};
    for (const [name, title] of Object.entries(SCOPES)) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: title });
      button.setAttribute("role", "radio");
      button.addEventListener("click", () => this.choose(name));
      button.dataset.scope = name;
      choice.append(button);
      const row = document.createElement("div");
      row.className = "scope-row";
      row.dataset.scope = name;
      this.canvases[name] = ["foreground", "background"].map((part) => {
        const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
        canvas.width = name === "vectorscope" ? ROUND : WIDTH;
        canvas.height = name === "vectorscope" ? ROUND : HEIGHT;
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${SCOPES[name]} of the ${part}`);
        caption.textContent = part;
        figure.append(canvas, caption);
        row.append(figure);
        return canvas;
      });
      rows.append(row);
    }
    this.choice = choice;
    this.wide = matchMedia("(min-width: 2000px)");
    this.wide.addEventListener("change", () => this.choose(this.chosen));
    this.choose(this.chosen);
  }

  choose(name) {
    this.chosen = name in SCOPES ? name : "waveform";
    localStorage.setItem("scope", this.chosen);
    for (const button of this.choice.children) button.setAttribute("aria-checked", String(button.dataset.scope === this.chosen));
    this.choice.hidden = this.wide.matches;
    for (const row of this.rows.children) row.hidden = !this.wide.matches && row.dataset.scope !== this.chosen;
    this.onChoose?.();
  }

  draw(picture) {
    for (const [name, [foreground, background]] of Object.entries(this.canvases)) {
      if (!this.wide.matches && name !== this.chosen) continue;
      this.drawOne(name, foreground, picture, (weight) => weight > 127);
      this.drawOne(name, background, picture, (weight) => weight < 128);
    }
  }

  drawOne(name, canvas, picture, isMine) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#101010";
    context.fillRect(0, 0, canvas.width, canvas.height);
    DRAW[name](context, picture, isMine);
  }
}
