// The queue: running tasks, their progress and their results.

import { get, send } from "./api.js";

const SAYS = { waiting: "waiting for its turn", running: "starting", paused: "paused", cancelled: "cancelled; nothing was kept" };
const ACTIONS = {
  waiting: [["cancel", "Cancel"]],
  running: [["pause", "Pause"], ["cancel", "Cancel"]],
  paused: [["resume", "Resume"], ["cancel", "Cancel"]],
  failed: [["resume", "Try again"]],
  cancelled: [["resume", "Start again"]],
  done: [],
};

export class Queue {
  constructor(list, empty, notice) {
    Object.assign(this, { list, empty, notice, items: new Map() });
  }

  async refresh() {
    const tasks = (await get("/api/tasks")).filter((task) => task.kind === "render" || task.kind === "matte");
    this.empty.hidden = tasks.length > 0;
    for (const task of tasks) this.show(task);
    this.isBusy = tasks.some((task) => ["waiting", "running"].includes(task.state));
    for (const [number, item] of this.items) {
      if (!tasks.some((task) => task.number === number)) { item.remove(); this.items.delete(number); }
    }
    this.tasks = tasks;
    return tasks;
  }

  show(task) {
    const text = JSON.stringify(task);
    let item = this.items.get(task.number);
    // Replacing unchanged buttons would take away focus and half-finished clicks.
    if (item?.dataset.shown === text) return;
    const had = document.activeElement?.dataset?.action && item?.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    if (!item) {
      item = document.createElement("li");
      this.items.set(task.number, item);
      this.list.prepend(item);
    }
    // Announce tasks that ended while the queue was closed, but not those that ended before the page was loaded.
    if (item.dataset.shown && item.dataset.state !== task.state) this.tell(task);
    item.dataset.shown = text;
    item.dataset.state = task.state;
    item.className = task.state;
    item.replaceChildren(...this.parts(task));
    if (had) (item.querySelector(`[data-action=${had}]`) ?? item.querySelector("button"))?.focus();
  }

  tell(task) {
    if (task.state === "done") this.notice(`saved ${task.result.outputs.join(", ")}`);
    if (task.state === "failed") this.notice(task.error, true);
  }

  parts(task) {
    const name = document.createElement("div");
    name.className = "name";
    name.textContent = task.title;
    const parts = [name];
    if (["running", "paused"].includes(task.state)) {
      const bar = document.createElement("progress");
      if (task.progress?.total) Object.assign(bar, { max: task.progress.total, value: task.progress.done });
      bar.setAttribute("aria-label", `Progress of ${task.title}`);
      parts.push(bar);
    }
    const said = document.createElement("div");
    said.className = "said";
    said.textContent = this.said(task);
    const row = document.createElement("div");
    row.className = "row";
    for (const [action, title] of ACTIONS[task.state]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: title });
      button.dataset.action = action;
      button.addEventListener("click", () => this.act(task.number, action));
      row.append(button);
    }
    (task.result?.outputs ?? []).forEach((path, number) => {
      const link = document.createElement("a");
      link.href = `/api/tasks/${task.number}/outputs/${number}`;
      link.textContent = `Download ${path.split("/").pop()}`;
      link.title = path;
      row.append(link);
    });
    return [...parts, said, row];
  }

  said(task) {
    const warnings = task.warnings.length ? ` · ${task.warnings.join(" · ")}` : "";
    if (task.state === "failed") return task.error;
    if (task.state === "done") return `done, ${task.result.frames} frames in ${task.result.seconds.toFixed(1)} s${warnings}`;
    const { progress } = task;
    if (progress && task.state !== "cancelled") {
      const left = progress.total && progress.rate > 0 ? `, ${Math.ceil((progress.total - progress.done) / progress.rate)} s left` : "";
      return `${task.state === "paused" ? "paused, " : ""}${progress.done} of ${progress.total ?? "?"} frames, ${progress.rate.toFixed(1)} a second${left}${warnings}`;
    }
    return SAYS[task.state] + warnings;
  }

  async act(number, action) {
    try {
      this.show(await send(`/api/tasks/${number}/${action}`, {}));
      this.onAct?.();
    } catch (error) {
      this.notice(error.message);
    }
  }
}
