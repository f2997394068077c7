// Starts the page and connects its parts.

import { get, send } from "./api.js";
import { Finish } from "./finish.js";
import { listenForKeys, radioGroup } from "./keys.js";
import { Opener } from "./opener.js";
import { Page } from "./page.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { Scopes } from "./scopes.js";
import { Sliders } from "./sliders.js";
import { Timeline } from "./timeline.js";
import { Viewer } from "./viewer.js";
import { WipeHandle } from "./wipe.js";

const find = (id) => document.getElementById(id);
const on = (id, act, kind = "click") => find(id).addEventListener(kind, act);
const SCOPE_WIDTH = 240;

function notice(text, stays = false) {
  const place = find("notice");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(notice.timer);
  if (!stays) notice.timer = setTimeout(() => { place.hidden = true; }, 8000);
}

function option(value, text = value) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}

async function start() {
  const state = await get("/api/state");
  const viewer = new Viewer(find("canvas"));
  const player = new Player(() => false);
  let page;
  const sliders = new Sliders(find("sliders"), state.turning.limits, () => page.turned());
  const scopes = new Scopes(find("scope-choice"), find("scope-rows"));
  page = new Page({ viewer, player, sliders, scopes, turning: state.turning, notice });
  const parts = Object.fromEntries(["shots", "span", "made", "scrub", "frame", "range"].map((id) => [id, find(id)]));
  const timeline = new Timeline(parts, player);
  const wipe = new WipeHandle(find("handle"), viewer);
  const queue = new Queue(find("task-list"), find("no-tasks"), notice);
  const opener = new Opener(find("opener"), (clip) => page.open(clip));

  find("method").append(...state.methods.map((each) => Object.assign(option(each.name), { title: each.description })));
  find("method").value = "shotgrade";
  find("codec").append(option("", "like the clip"), ...Object.keys(state.codecs).map((name) => option(name)));

  const setView = (view) => {
    viewer.view = view;
    for (const button of find("views").children) button.setAttribute("aria-checked", String(button.dataset.view === view));
    const isDouble = view === "side" || view === "wipe";
    find("tag-left").hidden = find("tag-right").hidden = !isDouble;
    wipe.update();
  };
  const toggleWipe = () => setView(viewer.view === "wipe" ? "after" : "wipe");
  radioGroup(find("views"), (button) => setView(button.dataset.view));
  radioGroup(find("scope-choice"), () => {});

  const showZoom = () => { find("zoom").textContent = viewer.hasPicture ? `${Math.round(100 * viewer.scale)} %` : "–"; };
  const drawScopes = () => {
    scopesSoon.waits = 0;
    if (find("scopes").open && viewer.hasPicture) scopes.draw(viewer.sampled(SCOPE_WIDTH));
  };
  // Draw the scopes with a delay: reading pixels back waits for the graphics card, which would stall a moving playhead at
  // every frame. During playback they are drawn regularly, otherwise once the playhead rests.
  const scopesSoon = () => {
    if (scopesSoon.waits && player.speed) return;
    clearTimeout(scopesSoon.waits);
    scopesSoon.waits = setTimeout(drawScopes, player.speed ? 120 : 60);
  };
  scopes.onChoose = scopesSoon;
  on("scopes", scopesSoon, "toggle");
  viewer.onDraw = showZoom;
  for (const what of ["picture", "look"]) page.addEventListener(what, scopesSoon);

  const refresh = () => {
    if (!page.clip) return;
    const shot = page.shotAt(player.frame);
    if (shot !== page.shot) page.enterShot(shot);
    timeline.update(page.clip, page.hands.own);
    find("play").setAttribute("aria-pressed", String(player.speed !== 0));
    find("play").setAttribute("aria-label", player.speed ? "Stop" : "Play");
  };
  player.onChange = refresh;

  const fillIn = () => {
    const { clip } = page, options = clip.session.options ?? {};
    find("title").title = clip.session.clip.composite ?? clip.session.clip.foreground;
    find("title").textContent = `${clip.title} · ${clip.info.width}×${clip.info.height} · ${clip.info.rate.toFixed(2).replace(/\.?0+$/, "")} fps`;
    document.title = `${clip.title} – chromacord`;
    find("method").value = options.method ?? "shotgrade";
    find("consistency").value = options.consistency ?? "smooth";
    find("protect").value = options.protect ?? "";
    const source = clip.session.clip.composite ?? clip.session.clip.background;
    const folder = source.startsWith(state.temporary) ? state.folders[0] : source.slice(0, source.lastIndexOf("/"));
    const ending = source.slice(source.lastIndexOf("."));
    const name = source.slice(source.lastIndexOf("/") + 1, source.lastIndexOf("."));
    find("output").value = clip.session.outputs?.output ?? `${folder}/${name}_harmonized${/\.(mp4|mov|mkv|m4v)$/i.test(ending) ? ending : ".mp4"}`;
    find("output").title = find("output").value;
    find("output").scrollLeft = find("output").scrollWidth;  // the name matters more than the folder
    find("foreground-out").value = clip.session.outputs?.foreground_out ?? "";
    finish.load(options, "foreground" in clip.session.clip);
    find("codec").value = clip.session.encoding?.codec ?? "";
    find("crf").value = clip.session.encoding?.crf ?? "";
    find("export-path").dataset.stem = `${folder}/${name}`;
    exportPath();
    find("screen").dataset.clip = clip.id;
  };
  const exportPath = () => {
    const endings = { grade_out: "_grade.json", lut_out: ".cube", preview: "_before_after.png", session: "_session.json" };
    find("export-path").value = (find("export-path").dataset.stem ?? "") + endings[find("export-kind").value];
  };
  on("export-kind", exportPath, "change");

  // Tests wait for this: the grade is decided, and the picture on the screen has it.
  const markReady = () => {
    const { analysis, shots, version } = page.clip;
    const isDecided = Boolean(shots) && !["waiting", "running"].includes(analysis?.state);
    find("status").dataset.ready = String(isDecided && page.look.version === version);
  };
  for (const what of ["picture", "look"]) page.addEventListener(what, markReady);

  const status = () => {
    const { analysis, proxy, shots } = page.clip;
    const working = (task, said) => `${said}${task.progress?.total ? ` ${Math.round((100 * task.progress.done) / task.progress.total)} %` : "…"}`;
    const busy = (task) => task && ["waiting", "running"].includes(task.state);
    find("status").textContent = busy(analysis) ? working(analysis, "deciding the grade")
      : busy(proxy) ? working(proxy, "making the proxy")
      : analysis?.state === "failed" ? "no grade" : shots ? `${shots.length} shot${shots.length === 1 ? "" : "s"}, graded` : "";
    markReady();
    find("start").disabled = find("export-start").disabled = !shots;
  };
  page.addEventListener("open", () => { find("notice").hidden = true; fillIn(); refresh(); status(); setView(viewer.view); });
  page.addEventListener("update", () => { refresh(); status(); });

  // The grade
  on("method", () => page.setOptions({ method: find("method").value }), "change");
  on("consistency", () => page.setOptions({ consistency: find("consistency").value }), "change");
  on("protect", async () => { await page.setOptions({ protect: find("protect").value }); page.frames.forgetLooks(); page.fetchLook(player.frame); }, "change");
  on("reset", () => { sliders.load({}); page.turned(); });
  const compare = (isOn) => { page.bypass = isOn; find("compare").setAttribute("aria-pressed", String(isOn)); page.applyLook(); };
  on("compare", () => compare(!page.bypass));

  const whose = () => {
    const { own, edited } = page.hands, shot = page.shotAt(player.frame);
    find("whose").hidden = (page.clip.shots ?? []).length < 2 && own.size === 0;
    find("of-clip").setAttribute("aria-checked", String(edited === null));
    find("of-shot").setAttribute("aria-checked", String(edited !== null));
    find("of-shot").textContent = `Shot ${shot || 1}`;
    find("free-shot").hidden = !own.has(shot);
    timeline.update(page.clip, own);
  };
  for (const what of ["edited", "update"]) page.addEventListener(what, whose);
  const editShot = (isAlone) => { if (!find("whose").hidden) page.editShot(isAlone ? page.shotAt(player.frame) : null); };
  radioGroup(find("whose"), (button) => editShot(button.id === "of-shot"));
  on("free-shot", () => page.freeShot(page.shotAt(player.frame)));

  const finish = new Finish(find("finish-fields"), (changes) => page.setOptions(changes));

  // Transport
  const setRange = (from, to) => {
    player.setRange(from, to);
    const isWhole = player.from === 0 && player.to >= player.count;
    refresh();
    page.setOptions({ frames: isWhole ? null : [player.from, player.to] });
  };
  const setIn = () => setRange(player.frame, Math.max(player.to, player.frame + 1));
  const setOut = () => setRange(Math.min(player.from, player.frame), player.frame + 1);
  const setWhole = () => setRange(0, player.count);
  const jump = (direction) => { const frame = timeline.neighbour(page.clip?.shots, direction); if (frame !== undefined) { player.stop(); player.seek(frame); } };
  on("first", () => { player.stop(); player.seek(player.from); });
  on("last", () => { player.stop(); player.seek(player.to - 1); });
  on("back", () => player.step(-1));
  on("forth", () => player.step(1));
  on("play", () => player.toggle());
  on("in", setIn); on("out", setOut); on("whole", setWhole);
  on("fit", () => viewer.fit());
  on("pixels", () => viewer.zoomTo(1));

  // Moving the picture
  const canvas = find("canvas"), ratio = () => canvas.width / canvas.clientWidth;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    viewer.zoomTo(viewer.scale * 1.0015 ** -event.deltaY, event.offsetX * ratio(), event.offsetY * ratio());
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); canvas.classList.add("moving"); });
  canvas.addEventListener("pointermove", (event) => { if (canvas.classList.contains("moving")) viewer.pan(event.movementX * ratio(), event.movementY * ratio()); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => canvas.classList.remove("moving"));

  // Files
  on("open", () => opener.show());
  const screen = find("screen");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); screen.classList.toggle("dropping", kind === "dragover"); });
  }
  document.addEventListener("drop", async (event) => {
    const files = [...event.dataTransfer.files];
    if (files.length) { await opener.show(); opener.take(files); }
  });

  // Rendering
  const poll = async () => {
    clearTimeout(poll.timer);
    try {
      await queue.refresh();
      find("stop-all").hidden = !queue.tasks.some((task) => ["waiting", "running", "paused"].includes(task.state));
    } catch (error) {
      notice(error.message, true);
    }
    // Poll often only while something runs: an idle page must not keep the server busy.
    poll.timer = setTimeout(poll, queue.isBusy ? 400 : 3000);
  };
  queue.onAct = poll;
  const encoding = () => ({ ...(find("codec").value && { codec: find("codec").value }), ...(find("crf").value && { crf: Number(find("crf").value) }) });
  const write = async (outputs) => {
    if (!page.clip) return;
    try {
      await page.save();
      await send(`/api/clips/${page.clip.id}/renders`, { outputs, encoding: encoding(), force: find("force").checked });
      find("tasks").open = true;
      await poll();
      find("tasks").scrollIntoView({ block: "nearest" });  // so that small screens show that something happened
    } catch (error) {
      notice(error.message, true);
    }
  };
  const outputs = () => ({ output: find("output").value, ...(find("foreground-out").value && { foreground_out: find("foreground-out").value }) });
  on("start", () => write(outputs()));
  on("to-render", () => {
    find("render").open = true;
    find("render").scrollIntoView({ block: "end" });
    find("start").focus();
  });
  on("export-start", async () => {
    const kind = find("export-kind").value, path = find("export-path").value;
    if (kind !== "session") { write({ [kind]: path }); return; }
    try {
      await page.save();
      const saved = await send(`/api/clips/${page.clip.id}/session`, { path, force: find("force").checked, encoding: encoding(), outputs: outputs() });
      notice(`saved ${saved.path}`);
    } catch (error) {
      notice(error.message, true);
    }
  });
  on("stop-all", async () => {
    for (const task of queue.tasks) if (["waiting", "running", "paused"].includes(task.state)) await queue.act(task.number, "cancel");
  });
  on("help", () => find("keys").showModal());

  listenForKeys({
    " ": () => player.toggle(), k: () => player.stop(), j: () => player.shuttle(-1), l: () => player.shuttle(1),
    ArrowLeft: (event) => player.step(event.shiftKey ? -10 : -1), ArrowRight: (event) => player.step(event.shiftKey ? 10 : 1),
    ArrowUp: () => jump(-1), ArrowDown: () => jump(1),
    Home: () => { player.stop(); player.seek(player.from); }, End: () => { player.stop(); player.seek(player.to - 1); },
    i: setIn, o: setOut, x: setWhole, w: toggleWipe, f: () => viewer.fit(), z: () => viewer.zoomTo(1),
    "+": () => viewer.zoomTo(viewer.scale * 1.25), "=": () => viewer.zoomTo(viewer.scale * 1.25), "-": () => viewer.zoomTo(viewer.scale / 1.25),
    1: () => setView("after"), 2: () => setView("before"), 3: () => setView("side"), 4: () => setView("difference"), 5: () => setView("mask"), 6: () => setView("foreground"),
    s: () => editShot(page.hands.edited === null), h: () => compare(!page.bypass), n: () => opener.show(), r: () => find("start").click(), "?": () => find("keys").showModal(),
  });

  find("start").disabled = find("export-start").disabled = true;
  globalThis.chromacord = { page, viewer, player, sliders };  // for tests and debugging
  poll();
  const wanted = location.hash.slice(1);
  try {
    if (wanted) await page.open(await get(`/api/clips/${wanted}`));
    else { await opener.show(); setTimeout(() => viewer.warm()); }
  } catch (error) {
    location.hash = "";
    notice(error.message, true);
    opener.show();
  }
}

start().catch((error) => notice(error.message, true));
