// The dialog that opens a clip: slots for its files, and a list of the folders' contents.

import { get, send, upload } from "./api.js";
import { MaskMaker } from "./maker.js";

/** Name, title, and what the file holds. */
const SLOTS = {
  composite: [["composite", "Composite", "the shot, with its foreground in place"], ["mask", "Mask", "white where the foreground is"]],
  layers: [["foreground", "Foreground", "what is put into the shot"], ["alpha", "Matte", "white where the foreground is; none if it has alpha"], ["background", "Background", "the shot without it"]],
  session: [["session", "Session", "saved by this page"]],
};
const LIKELY = { mask: /mask|matte|alpha|roto/i, alpha: /mask|matte|alpha|roto/i, background: /back|plate|bg/i, foreground: /fore|fg/i, composite: /comp/i };
const SESSION = { format: "chromacord session", version: 1 };

export class Opener {
  constructor(dialog, onOpen) {
    this.dialog = dialog;
    this.onOpen = onOpen;
    this.kind = "composite";
    const find = (id) => dialog.querySelector(`#${id}`);
    Object.assign(this, { slots: find("slots"), entries: find("entries"), folderText: find("folder"), error: find("opener-error"), submit: find("opener-open") });
    for (const button of dialog.querySelectorAll("[data-kind]")) button.addEventListener("click", () => this.choose(button.dataset.kind));
    find("up").addEventListener("click", () => this.parent && this.list(this.parent));
    find("opener-cancel").addEventListener("click", () => dialog.close());
    find("upload").addEventListener("change", (event) => this.take([...event.target.files]));
    this.up = find("up");
    dialog.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); this.open(); });
    find("make-mask").addEventListener("click", () => this.makeMask());
    this.maker = new MaskMaker(document.getElementById("maker"), (mask) => { this.slot("mask").value = mask; this.mark(); this.submit.focus(); });
    this.choose("composite");
  }

  slot(name) { return this.slots.querySelector(`[data-name=${name}] input`); }

  makeMask() {
    const composite = this.slot("composite").value.trim();
    if (composite) this.maker.show(composite);
    else this.fail(new Error("name the composite first"));
  }

  async show() {
    if (!this.dialog.open) this.dialog.showModal();
    await this.list(this.folder);
    (this.next()?.querySelector("input") ?? this.submit).focus();
  }

  choose(kind) {
    this.kind = kind;
    for (const button of this.dialog.querySelectorAll("[data-kind]")) button.setAttribute("aria-checked", String(button.dataset.kind === kind));
    this.slots.replaceChildren(...SLOTS[kind].map(([name, title, holds]) => {
      const slot = document.createElement("div"), label = document.createElement("label"), input = document.createElement("input");
      slot.className = "slot";
      slot.dataset.name = name;
      label.textContent = title;
      label.htmlFor = `slot-${name}`;
      Object.assign(input, { type: "text", id: `slot-${name}`, spellcheck: false, autocomplete: "off", placeholder: `${holds}: its path, or choose below` });
      input.addEventListener("input", () => { delete slot.dataset.guessed; this.mark(); });
      slot.append(label, input);
      return slot;
    }));
    this.dialog.querySelector("#no-mask").hidden = kind !== "composite";
    this.guess();
    this.mark();
  }

  /** Fill each slot for which file names suggest exactly one file. */
  guess() {
    const clips = (this.files ?? []).filter((file) => file.kind === "clip").map((file) => file.name);
    for (const slot of this.slots.children) {
      const input = slot.querySelector("input"), likely = LIKELY[slot.dataset.name];
      // What this page has rendered is no input of the next time.
      const found = likely ? clips.filter((name) => likely.test(name) && !/_harmonized\./.test(name)) : [];
      const free = !input.value || "guessed" in slot.dataset;  // a guess gives way to one from the folder that is open now
      if (free && found.length === 1) { input.value = this.join(found[0]); slot.dataset.guessed = ""; }
    }
    this.mark();
  }

  join(name) { return `${this.folder.replace(/\/$/, "")}/${name}`; }

  next() { return [...this.slots.children].find((slot) => !slot.querySelector("input").value); }

  mark() {
    const next = this.next();
    for (const slot of this.slots.children) slot.classList.toggle("next", slot === next);
  }

  async list(folder) {
    try {
      const found = await get(`/api/files${folder ? `?folder=${encodeURIComponent(folder)}` : ""}`);
      Object.assign(this, { folder: found.folder, files: found.files, parent: found.parent });
      this.folderText.textContent = found.folder;
      this.up.disabled = !found.parent;
      const others = found.parent ? [] : found.roots.filter((root) => root !== found.folder && !root.includes("chromacord-ui-"));
      const rows = [
        ...others.map((root) => this.entry(`▸ ${root}`, () => this.list(root))),
        ...found.folders.map((name) => this.entry(`▸ ${name}`, () => this.list(this.join(name)))),
        ...found.files.map((file) => this.entry(file.name, () => this.put(this.join(file.name), file.kind))),
      ];
      this.entries.replaceChildren(...(rows.length ? rows : [this.note("no clips in this folder")]));
      this.guess();
    } catch (error) {
      this.fail(error);
    }
  }

  entry(text, act) {
    const item = document.createElement("li"), button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text });
    button.addEventListener("click", act);
    item.append(button);
    return item;
  }

  note(text) {
    const item = document.createElement("li");
    item.className = "note";
    item.textContent = text;
    return item;
  }

  put(path, kind) {
    if (kind === "text" && this.kind !== "session") this.choose("session");
    const slot = this.slotFor(path.slice(path.lastIndexOf("/") + 1));
    slot.querySelector("input").value = path;
    delete slot.dataset.guessed;
    this.mark();
    if (!this.next()) this.submit.focus();
  }

  /** Return the slot for a chosen file; slots with a guessed file come first. */
  slotFor(name) {
    const free = [...this.slots.children].filter((slot) => "guessed" in slot.dataset || !slot.querySelector("input").value);
    return free.find((slot) => LIKELY[slot.dataset.name]?.test(name)) ?? this.next() ?? free[0] ?? this.slots.lastElementChild;
  }

  async take(files) {
    for (const file of files) {
      try {
        this.fail(null);
        const path = await upload(file, (share) => { this.folderText.textContent = `sending ${file.name}: ${Math.round(100 * share)} %`; });
        this.put(path, file.name.endsWith(".json") ? "text" : "clip");
      } catch (error) {
        this.fail(error);
      }
    }
    this.folderText.textContent = this.folder ?? "";
  }

  fail(error) {
    this.error.hidden = !error;
    this.error.textContent = error?.message ?? "";
  }

  async open() {
    const given = Object.fromEntries([...this.slots.children].map((slot) => [slot.dataset.name, slot.querySelector("input").value.trim()]).filter(([, path]) => path));
    this.submit.disabled = true;
    this.fail(null);
    try {
      const clip = this.kind === "session" ? await send("/api/sessions", { path: given.session ?? "" }) : await send("/api/clips", { ...SESSION, clip: given });
      this.dialog.close();
      this.onOpen(clip);
    } catch (error) {
      this.fail(error);
    } finally {
      this.submit.disabled = false;
    }
  }
}
