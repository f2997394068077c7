// The wipe's handle: drag it to move the line, its knob to turn it; arrows do the same.

export class WipeHandle {
  constructor(handle, viewer) {
    Object.assign(this, { handle, viewer });
    handle.addEventListener("pointerdown", (event) => this.grab(event));
    handle.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => { this.held = null; });
    handle.addEventListener("keydown", (event) => this.key(event));
  }

  grab(event) {
    this.held = event.target === this.handle ? "move" : "turn";
    this.handle.setPointerCapture(event.pointerId);
    this.handle.focus();
    event.preventDefault();
  }

  drag(event) {
    if (!this.held) return;
    const box = this.viewer.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (this.held === "move") {
      this.move(x / box.width, y / box.height);
    } else {
      const { wipe } = this.viewer;
      this.turn((Math.atan2(x - wipe.x * box.width, wipe.y * box.height - y) * 180) / Math.PI);
    }
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    const { wipe } = this.viewer;
    if (event.shiftKey) this.turn(wipe.angle + 3 * (step[0] || step[1]));
    else this.move(wipe.x + step[0] * 0.01, wipe.y + step[1] * 0.01);
    event.preventDefault();
    event.stopPropagation();
  }

  move(x, y) {
    this.viewer.wipe.x = Math.min(1, Math.max(0, x));
    this.viewer.wipe.y = Math.min(1, Math.max(0, y));
    this.update();
  }

  turn(angle) {
    this.viewer.wipe.angle = ((angle % 360) + 360) % 360;
    this.update();
  }

  update() {
    const { wipe, view } = this.viewer;
    this.handle.hidden = view !== "wipe";
    this.handle.style.left = `${100 * wipe.x}%`;
    this.handle.style.top = `${100 * wipe.y}%`;
    this.handle.style.transform = `rotate(${wipe.angle}deg)`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(100 * wipe.x)));
    this.handle.setAttribute("aria-valuetext", `${Math.round(100 * wipe.x)} % across, ${Math.round(100 * wipe.y)} % down, turned ${Math.round(wipe.angle)} degrees`);
    this.viewer.request();
  }
}
