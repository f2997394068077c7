// The timeline: shots as blocks with their confidence, the range between in and out, and the proxy's progress.

export class Timeline {
  constructor({ shots, span, made, scrub, frame, range }, player) {
    Object.assign(this, { shots, span, made, scrub, frame, range, player });
    scrub.addEventListener("input", () => { player.stop(); player.seek(Number(scrub.value)); });
    this.shown = "";
  }

  update(clip, own) {
    const { player, scrub, frame } = this;
    scrub.max = String(player.count - 1);
    if (document.activeElement !== scrub || Number(scrub.value) !== player.frame) scrub.value = String(player.frame);
    scrub.setAttribute("aria-valuetext", `frame ${player.frame} of ${player.count}`);
    frame.textContent = `${player.frame} / ${player.count - 1}`;
    const isWhole = player.from === 0 && player.to >= player.count;
    this.range.textContent = isWhole ? "whole clip" : `${player.from} to ${player.to - 1}, ${player.to - player.from} frames`;
    this.span.style.left = `${(100 * player.from) / player.count}%`;
    this.span.style.width = `${(100 * (Math.min(player.to, player.count) - player.from)) / player.count}%`;
    const { proxy } = clip;
    const share = proxy.done ? 1 : (proxy.progress?.done ?? 0) / player.count;
    this.made.style.width = `${100 * share}%`;
    this.made.hidden = proxy.done;
    this.showShots(clip.shots ?? [], own);
  }

  showShots(shots, own) {
    const text = JSON.stringify([shots, this.player.count]);
    if (text !== this.shown) {
      this.shown = text;
      this.shots.replaceChildren(...shots.map((shot, number) => this.block(shot, number)));
    }
    [...this.shots.children].forEach((item, number) => {
      const { start, stop } = shots[number];
      item.firstChild.classList.toggle("current", start <= this.player.frame && this.player.frame < stop);
      item.firstChild.classList.toggle("own", own.has(number + 1));
    });
  }

  block(shot, number) {
    const item = document.createElement("div"), button = document.createElement("button");
    item.setAttribute("role", "listitem");
    button.type = "button";
    const sure = shot.confidence === null ? "" : ` · confidence ${Math.round(100 * shot.confidence)} %`;
    button.textContent = `${number + 1}${shot.graded ? sure : " · no foreground"}`;
    const doubt = shot.confidence !== null && shot.confidence < 0.4 ? "; low, look at the result" : "";
    button.title = `Shot ${number + 1}, frames ${shot.start} to ${shot.stop - 1}${sure.replace(" ·", ",")}${doubt}`;
    button.setAttribute("aria-label", button.title);
    button.style.left = `${(100 * shot.start) / this.player.count}%`;
    button.style.width = `${(100 * (shot.stop - shot.start)) / this.player.count}%`;
    button.style.setProperty("--sure", `${100 * (shot.confidence ?? 0)}%`);
    button.classList.toggle("doubtful", Boolean(doubt));
    button.addEventListener("click", () => { this.player.stop(); this.player.seek(shot.start); });
    item.append(button);
    return item;
  }

  /** Return the first frame of the shot before or after. */
  neighbour(shots, direction) {
    const starts = (shots ?? []).map((shot) => shot.start);
    const { frame } = this.player;
    return direction > 0 ? starts.find((start) => start > frame) : starts.filter((start) => start < frame).pop();
  }
}
