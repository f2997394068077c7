// Makes a mask for a clip: from a colour picked in the picture, a box drawn there, a clean plate, or alpha.

import { fetched, get, send } from "./api.js";
import { radioGroup } from "./keys.js";

const WAYS = {
  key: ["Colour", "Click the colour of the screen in the picture, or write green, blue, or R,G,B in codes from 0 to 255."],
  box: ["Box", "Drag a box around the foreground, or write X,Y,W,H in pixels. It is followed through the clip."],
  clicks: ["Pixels", "Click the foreground; with Alt what is not foreground, which is marked with !. It is followed through the clip."],
  plate: ["Plate", "Name a still, or a clip with the same camera, without the foreground."],
  from_alpha: ["", "The mask is the clip's own alpha channel."],
};
const PICKED = 5;  // side in pixels of the square over which a picked colour is averaged

export class MaskMaker {
  constructor(dialog, onDone) {
    this.dialog = dialog;
    this.onDone = onDone;
    const find = (id) => dialog.querySelector(`#maker-${id}`);
    Object.assign(this, { canvas: find("canvas"), value: find("value"), output: find("output"), hint: find("hint"), label: find("label"), said: find("said"), error: find("error"), start: find("start") });
    this.swatch = dialog.querySelector("#swatch");
    find("cancel").addEventListener("click", () => this.close());
    dialog.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); this.make(); });
    radioGroup(dialog.querySelector("[role=radiogroup]"), (button) => this.choose(button.dataset.way));
    this.value.addEventListener("input", () => this.draw());
    this.canvas.addEventListener("pointerdown", (event) => { this.canvas.setPointerCapture(event.pointerId); this.from = this.at(event); this.pick(this.from, this.from); if (this.way === "clicks") this.click(event); });
    this.canvas.addEventListener("pointermove", (event) => { if (this.from) this.pick(this.from, this.at(event)); });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => { this.from = null; });
  }

  async show(clip) {
    this.clip = clip;
    this.output.value = `${clip.replace(/\.[^./]+$/, "")}_mask.mkv`;
    this.fail(null);
    this.dialog.showModal();
    this.choose("key");
    try {
      this.picture = await createImageBitmap(await (await fetched(`/api/picture?path=${encodeURIComponent(clip)}`)).blob());
      this.canvas.width = this.picture.width;
      this.canvas.height = this.picture.height;
      this.draw();
    } catch (error) {
      this.fail(error);
    }
  }

  choose(way) {
    this.way = way;
    for (const button of this.dialog.querySelectorAll("[data-way]")) button.setAttribute("aria-checked", String(button.dataset.way === way));
    [this.label.textContent, this.hint.textContent] = WAYS[way];
    this.value.hidden = way === "from_alpha";
    this.swatch.hidden = way !== "key";
    this.value.value = "";
    this.draw();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const clamp = (share, length) => Math.min(length - 1, Math.max(0, Math.floor(share * length)));
    return [clamp((event.clientX - box.left) / box.width, this.canvas.width), clamp((event.clientY - box.top) / box.height, this.canvas.height)];
  }

  click(event) {
    this.value.value = `${this.value.value} ${event.altKey ? "!" : ""}${this.at(event).join(",")}`.trim();
    this.draw();
  }

  /** Return the form's values as options of `chromacord matte`. */
  options() {
    const text = this.value.value.trim();
    if (this.way === "from_alpha") return { from_alpha: true };
    if (!text) throw new Error(this.hint.textContent);
    if (this.way !== "clicks") return { [this.way]: text };
    const pixels = text.split(/\s+/);
    return { clicks: pixels.filter((each) => !each.startsWith("!")), clicks_out: pixels.filter((each) => each.startsWith("!")).map((each) => each.slice(1)) };
  }

  pick(from, to) {
    if (this.way === "key") {
      this.draw();
      const half = Math.floor(PICKED / 2), [x, y] = to;
      const { data } = this.canvas.getContext("2d").getImageData(x - half, y - half, PICKED, PICKED);
      const sum = [0, 0, 0];
      let count = 0;
      for (let place = 0; place < data.length; place += 4) if (data[place + 3]) { count++; sum.forEach((_, channel) => { sum[channel] += data[place + channel]; }); }
      this.value.value = sum.map((value) => Math.round(value / Math.max(count, 1))).join(",");
    } else if (this.way === "box") {
      const [left, top] = [0, 1].map((axis) => Math.min(from[axis], to[axis]));
      this.value.value = [left, top, Math.abs(from[0] - to[0]) + 1, Math.abs(from[1] - to[1]) + 1].join(",");
    }
    this.draw();
  }

  draw() {
    if (!this.picture) return;
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.picture, 0, 0);
    const numbers = this.value.value.split(",").map(Number);
    if (this.way === "box" && numbers.length === 4 && numbers.every(Number.isFinite)) {
      const width = Math.max(1, this.canvas.width / 500);
      context.lineWidth = 3 * width;
      context.strokeStyle = "#101010";
      context.strokeRect(...numbers);
      context.lineWidth = width;
      context.strokeStyle = "#ffffff";
      context.strokeRect(...numbers);
    }
    if (this.way === "clicks") this.drawClicks(context);
    const named = { green: "rgb(0 177 64)", blue: "rgb(0 71 187)" }[this.value.value.trim()];
    this.swatch.style.background = named ?? (numbers.length === 3 && numbers.every(Number.isFinite) ? `rgb(${numbers.join(" ")})` : "none");
  }

  drawClicks(context) {
    const radius = Math.max(3, this.canvas.width / 160);
    for (const text of this.value.value.trim().split(/\s+/)) {
      const [x, y] = text.replace("!", "").split(",").map(Number);
      if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fillStyle = text.startsWith("!") ? "#101010" : "#ffffff";
      context.fill();
      context.lineWidth = radius / 3;
      context.strokeStyle = text.startsWith("!") ? "#ffffff" : "#101010";
      context.stroke();
    }
  }

  async make() {
    this.start.disabled = true;
    this.fail(null);
    try {
      const options = this.options();
      const { number } = await send("/api/mattes", { clip: this.clip, output: this.output.value, options });
      this.number = number;
      const task = await this.finished(number);
      if (task.state !== "done") throw new Error(task.error ?? "cancelled");
      this.dialog.close();
      this.onDone(task.result.outputs[0], task);
    } catch (error) {
      this.fail(error);
    } finally {
      this.number = null;
      this.start.disabled = false;
      this.said.textContent = "";
    }
  }

  async finished(number) {
    for (;;) {
      const task = (await get("/api/tasks")).find((each) => each.number === number);
      if (!task || ["done", "failed", "cancelled"].includes(task.state)) return task ?? { state: "cancelled" };
      const { progress } = task;
      this.said.textContent = progress ? `${progress.done} of ${progress.total ?? "?"} frames` : "starting";
      await new Promise((done) => setTimeout(done, 250));
    }
  }

  close() {
    if (this.number) send(`/api/tasks/${this.number}/cancel`, {});
    this.dialog.close();
  }

  fail(error) {
    this.error.hidden = !error;
    this.error.textContent = error?.message ?? "";
  }
}
