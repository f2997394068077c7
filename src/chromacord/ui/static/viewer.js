// The picture on the screen: textures, the shader, zoom and the wipe.

import { Programs } from "./programs.js";

export const VIEWS = { after: 0, before: 1, wipe: 2, side: 3, difference: 4, mask: 5, foreground: 6 };
const SCOPES = 7, CHROMA = 8;
const SURROUND = 0x20 / 255;
const UNITS = { picture: 0, mask: 1, layer: 2, lut: 3, field: 4, chroma: 5, gradedChroma: 6 };
const PICTURES = ["picture", "mask", "layer", "chroma"];
const FORMATS = {
  u1: { 1: ["R8", "RED"], 2: ["RG8", "RG"], 3: ["RGB8", "RGB"], type: "UNSIGNED_BYTE" },
  f2: { 1: ["R16F", "RED"], 2: ["RG16F", "RG"], type: "HALF_FLOAT" },
};

export class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.view = "after";
    this.size = { width: 1, height: 1, aspect: 1 };
    this.wipe = { x: 0.5, y: 0.5, angle: 0 };  // a point of the canvas, and degrees from vertical
    this.zoom = null;                          // null: fit
    this.center = { x: 0.5, y: 0.5 };          // point of the picture in the middle
    this.kind = 0;
    this.hasLayer = false;
    this.hasPicture = false;
    this.onDraw = () => {};
    this.start();
    // Without this, the browser never restores a context lost in a driver reset.
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.start(); this.onRestore?.(); });
    new ResizeObserver(() => this.fitCanvas()).observe(canvas);
  }

  start() {
    // The buffer is kept after drawing, so that pictures of the page and tests can read it.
    const settings = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true, powerPreference: "high-performance" };
    const gl = this.canvas.getContext("webgl2", settings);
    if (!gl) throw new Error("this browser has no WebGL 2; update it, or turn on hardware acceleration");
    this.gl = gl;
    this.programs = new Programs(gl, UNITS);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    // One triangle larger than the screen: with two, pixels on their shared diagonal would be drawn twice.
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    // Rows of bytes are not padded to four.
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    this.textures = {};
    this.reduced = new Set();  // textures that have their mipmaps
    for (const name of [...PICTURES, "gradedChroma"]) this.makeTexture(name, gl.TEXTURE_2D);
    this.makeTexture("lut", gl.TEXTURE_3D);
    this.makeTexture("field", gl.TEXTURE_2D_ARRAY);
    for (const name of PICTURES) this.upload(name, { data: new Uint8Array(3), kind: "u1", width: 1, height: 1, channels: 3 });
    this.isRenderable = { u1: true, f2: Boolean(gl.getExtension("EXT_color_buffer_float") ?? gl.getExtension("EXT_color_buffer_half_float")) };
    this.chromaFrame = gl.createFramebuffer();
    this.chromaShape = "";
    // Every sampler needs a texture of its type, even before there are values.
    this.setLut(new Float32Array(4), 1);
    this.setField(new Float32Array(12), [1, 1]);
    this.setNoGrade();
    this.fitCanvas();
  }

  makeTexture(name, target) {
    const gl = this.gl;
    this.textures[name] = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + UNITS[name]);
    gl.bindTexture(target, this.textures[name]);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(target, side, gl.CLAMP_TO_EDGE);
    gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  /** Upload a picture: an ImageBitmap, or { data, kind, width, height, channels }. */
  upload(name, image) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0 + UNITS[name]);
    if (image.data) {
      const { type, [image.channels]: [stored, format] } = FORMATS[image.kind];
      gl.texImage2D(gl.TEXTURE_2D, 0, gl[stored], image.width, image.height, 0, gl[format], gl[type], image.data);
    } else {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, image);
    }
    this.reduced.delete(name);
  }

  /** Upload the pictures of a frame, as unpacked from a response: { pictures, box, coded, weighing }. */
  show({ pictures, box, coded, weighing = [1, 0] }) {
    const { luma, picture = luma, mask, layer, chroma } = pictures;
    this.upload("picture", picture);
    this.upload("mask", mask);
    if (layer) this.upload("layer", layer);
    if (chroma) this.upload("chroma", chroma);
    Object.assign(this, { box, weighing, coded: coded && { ...coded, chroma }, hasLayer: Boolean(layer), shownWidth: picture.width, hasPicture: true });
    this.isStale = true;
  }

  setLut(nodes, size) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0 + UNITS.lut);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.RGBA32F, size, size, size, 0, gl.RGBA, gl.FLOAT, nodes);
    this.kind = 1;
    this.isStale = true;
  }

  /** Upload a field of matrices; values in the order row, column, output channel, r g b offset. */
  setField(values, [rows, columns]) {
    const gl = this.gl;
    const planes = new Float32Array(values.length);
    for (let node = 0; node < rows * columns; node++) {
      for (let channel = 0; channel < 3; channel++) {
        planes.set(values.subarray(12 * node + 4 * channel, 12 * node + 4 * channel + 4), 4 * (channel * rows * columns + node));
      }
    }
    gl.activeTexture(gl.TEXTURE0 + UNITS.field);
    gl.texImage3D(gl.TEXTURE_2D_ARRAY, 0, gl.RGBA32F, columns, rows, 3, 0, gl.RGBA, gl.FLOAT, planes);
    this.kind = 2;
    this.isStale = true;
  }

  setNoGrade() { this.kind = 0; this.isStale = true; }

  fitCanvas() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.request();
  }

  /** Compile the programs of the first pictures while files are being chosen: drivers take up to a second for them. */
  warm() {
    if (this.hasPicture) return;
    const samples = (channels) => ({ data: new Uint8Array(channels), kind: "u1", width: 1, height: 1, channels });
    const image = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });  // as decoded from JPEG
    const matrix = new Array(12).fill(0), coded = { decode: matrix, encode: matrix, unit: 255, max: 255, step: [1, 1] };
    for (const packet of [{ pictures: { luma: samples(1), chroma: samples(2) }, coded }, { pictures: { picture: image } }]) {
      packet.pictures.mask = samples(1);
      this.show({ ...packet, box: [0, 0, 1, 1] });
      for (const kind of [0, 1]) {
        this.kind = kind;
        this.pane(VIEWS.after, 0, 0, 1, 1, [0, 0, 0.7, 0.7]);
      }
    }
    Object.assign(this, { kind: 0, coded: undefined, hasPicture: false });
  }

  /** Draw before the next refresh, once however often this is called. */
  request() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.draw(); });
  }

  get paneWidth() { return this.view === "side" ? this.canvas.width / 2 : this.canvas.width; }

  get scale() {
    if (this.zoom !== null) return this.zoom;
    return Math.min(this.paneWidth / (this.size.width * this.size.aspect), this.canvas.height / this.size.height);
  }

  /** Left and top of the picture in its pane, and screen pixels per picture pixel, across and down. */
  get place() {
    const down = this.scale, across = down * this.size.aspect;
    // Whole pixels of the screen, so that at 1:1 each picture pixel is one of the screen's.
    const fits = this.zoom === null;
    const x = fits ? 0.5 : this.center.x, y = fits ? 0.5 : this.center.y;
    const left = Math.round(this.paneWidth / 2 - x * this.size.width * across);
    return [left, Math.round(this.canvas.height / 2 - y * this.size.height * down), across, down];
  }

  draw() {
    const gl = this.gl, canvas = this.canvas;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.clearColor(SURROUND, SURROUND, SURROUND, 1);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.hasPicture) {
      this.setFilter();
      if (this.view === "side") {
        const half = Math.floor(canvas.width / 2);
        this.pane(VIEWS.before, 0, 0, half, canvas.height, this.place);
        this.pane(VIEWS.after, half, 0, canvas.width - half, canvas.height, this.place);
      } else {
        this.pane(VIEWS[this.view], 0, 0, canvas.width, canvas.height, this.place);
      }
    }
    this.onDraw();
  }

  /** Screen pixels per pixel of the uploaded picture, which may be a small one. */
  enlarged(across) { return (across / this.size.aspect * this.size.width) / this.shownWidth; }

  get isProxy() { return this.shownWidth < this.size.width; }

  /** Draw a pane: graded inside the mask's box, and the plain picture elsewhere, which is faster. */
  pane(view, left, bottom, width, height, place) {
    const gl = this.gl;
    const isSnapped = !this.isProxy && this.enlarged(place[2]) >= 0.999;
    const isExact = isSnapped && this.coded && this.kind && this.isRenderable[this.coded.chroma.kind] && view !== VIEWS.before;
    if (isExact) this.gradeChroma();
    const choices = { VIEW: view, CODED: isExact ? 2 : this.coded ? 1 : 0, LAYERED: this.hasLayer ? 1 : 0, SNAPPED: isSnapped ? 1 : 0 };
    const inside = this.kind && view !== VIEWS.before ? this.boxOn(width, height, place) : [0, 0, 0, 0];
    const [from, top, to, end] = inside;
    gl.viewport(left, bottom, width, height);
    gl.enable(gl.SCISSOR_TEST);
    const draw = (x, y, right, down) => {
      if (right <= x || down <= y) return;
      gl.scissor(left + x, bottom + height - down, right - x, down - y);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    };
    this.use({ ...choices, CODED: Math.min(choices.CODED, 1), LAYERED: 0, KIND: 0 }, left, bottom, height, place);
    draw(0, 0, width, top);
    draw(0, end, width, height);
    draw(0, top, from, end);
    draw(to, top, width, end);
    if (to > from && end > top) {
      this.use({ ...choices, KIND: this.kind }, left, bottom, height, place);
      draw(from, top, to, end);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  /** Left, top, right and bottom of the mask's box in a pane, with a margin for the reach of filters. */
  boxOn(width, height, [left, top, across, down]) {
    if (!this.box) return [0, 0, 0, 0];
    const margin = 4 * Math.max(1, this.size.width / this.shownWidth) * Math.max(1, 1 / this.enlarged(across));
    const [x, y, right, bottom] = this.box.map((share, number) => share * (number % 2 ? this.size.height : this.size.width));
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    return [
      inside(Math.floor(left + (x - margin) * across), width), inside(Math.floor(top + (y - margin) * down), height),
      inside(Math.ceil(left + (right + margin) * across), width), inside(Math.ceil(top + (bottom + margin) * down), height),
    ];
  }

  use(choices, left, bottom, height, place) {
    const gl = this.gl, at = this.programs.use(choices);
    gl.uniform2f(at("size"), this.size.width, this.size.height);
    gl.uniform4f(at("place"), ...place);
    gl.uniform4f(at("pane"), left, bottom, height, 0);
    gl.uniform3f(at("surround"), SURROUND, SURROUND, SURROUND);
    gl.uniform2f(at("weighing"), ...this.weighing);
    const turn = (this.wipe.angle * Math.PI) / 180;
    const normal = [Math.cos(turn), Math.sin(turn)];
    const distance = normal[0] * this.wipe.x * this.canvas.width + normal[1] * this.wipe.y * this.canvas.height;
    gl.uniform3f(at("line"), normal[0], normal[1], distance);
    if (!choices.CODED) return;
    const { decode, encode, unit, max, step } = this.coded;
    const columns = (rows) => [0, 1, 2, 3].flatMap((column) => [0, 1, 2].map((row) => rows[4 * row + column]));
    gl.uniformMatrix4x3fv(at("decode"), false, columns(decode));
    gl.uniformMatrix4x3fv(at("encode"), false, columns(encode));
    gl.uniform2f(at("codes"), unit, max);
    gl.uniform2i(at("stride"), ...step);
  }

  /** Grade each sample of chroma as the renderer does, once for each picture and grade. */
  gradeChroma() {
    if (!this.isStale) return;
    this.isStale = false;
    const gl = this.gl, { chroma, step } = this.coded, { width, height, kind } = chroma;
    const bound = gl.getParameter(gl.FRAMEBUFFER_BINDING), shape = `${width} ${height} ${kind}`;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.chromaFrame);
    gl.activeTexture(gl.TEXTURE0 + UNITS.gradedChroma);
    if (shape !== this.chromaShape) {
      this.chromaShape = shape;
      const { type, 2: [stored, format] } = FORMATS[kind];
      gl.texImage2D(gl.TEXTURE_2D, 0, gl[stored], width, height, 0, gl[format], gl[type], null);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.textures.gradedChroma, 0);
    }
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    const [left, top, right, bottom] = this.boxOn(width * step[0], height * step[1], [0, 0, 1, 1]).map((edge, number) => edge / step[number % 2]);
    gl.scissor(Math.floor(left), Math.floor(top), Math.ceil(right - left) + 1, Math.ceil(bottom - top) + 1);
    this.use({ VIEW: CHROMA, CODED: 1, KIND: this.kind }, 0, 0, height, [0, 0, 1, 1]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, bound);
  }

  /** Filter by nearest neighbour at 1:1 and above, and by averages below. */
  setFilter() {
    const gl = this.gl;
    const enlarged = this.enlarged(this.scale * this.size.aspect);
    // Down to half the size, bilinear filtering is enough; mipmaps cost time for each new picture.
    const small = enlarged < 0.5 ? gl.LINEAR_MIPMAP_NEAREST : enlarged < 0.999 ? gl.LINEAR : gl.NEAREST;
    for (const name of PICTURES) {
      if ((name === "layer" && !this.hasLayer) || (name === "chroma" && !this.coded)) continue;
      gl.activeTexture(gl.TEXTURE0 + UNITS[name]);
      if (enlarged < 0.5 && !this.reduced.has(name)) {
        gl.generateMipmap(gl.TEXTURE_2D);
        this.reduced.add(name);
      }
      const isChroma = name === "chroma";  // always interpolated
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, isChroma && small === gl.NEAREST ? gl.LINEAR : small);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, isChroma || this.isProxy ? gl.LINEAR : gl.NEAREST);
    }
  }

  /** Return the graded picture at a small size with the mask as alpha. */
  sampled(width) {
    const gl = this.gl;
    const height = Math.max(1, Math.round((width * this.size.height) / this.size.width));
    if (!this.small || this.small.width !== width || this.small.height !== height || this.small.gl !== gl) {
      const buffer = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
      gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, width, height);
      const frame = gl.createFramebuffer();
      gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, buffer);
      this.small = { gl, frame, width, height, data: new Uint8Array(4 * width * height) };
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.small.frame);
    for (const name of ["picture", "mask", "layer"]) {
      gl.activeTexture(gl.TEXTURE0 + UNITS[name]);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    }
    this.pane(SCOPES, 0, 0, width, height, [0, 0, width / this.size.width, height / this.size.height]);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, this.small.data);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return this.small;
  }

  /** Return pixels of the canvas, rows from the top, RGBA. */
  read(left, top, width, height) {
    this.draw();
    const gl = this.gl, upsideDown = new Uint8Array(4 * width * height), data = new Uint8Array(4 * width * height);
    gl.readPixels(left, this.canvas.height - top - height, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upsideDown);
    for (let row = 0; row < height; row++) data.set(upsideDown.subarray(4 * width * (height - 1 - row), 4 * width * (height - row)), 4 * width * row);
    return data;
  }

  /** Zoom around a point of the canvas. */
  zoomTo(scale, x = this.paneWidth / 2, y = this.canvas.height / 2) {
    const [left, top, across, down] = this.place;
    const at = { x: (x - left) / across / this.size.width, y: (y - top) / down / this.size.height };
    this.zoom = Math.min(32, Math.max(0.05, scale));
    const wide = this.zoom * this.size.aspect * this.size.width, high = this.zoom * this.size.height;
    this.center = { x: at.x - (x - this.paneWidth / 2) / wide, y: at.y - (y - this.canvas.height / 2) / high };
    this.keepInside();
    this.request();
  }

  fit() { this.zoom = null; this.center = { x: 0.5, y: 0.5 }; this.request(); }

  pan(x, y) {
    if (this.zoom === null) this.zoomTo(this.scale);
    const [, , across, down] = this.place;
    this.center.x -= x / across / this.size.width;
    this.center.y -= y / down / this.size.height;
    this.keepInside();
    this.request();
  }

  keepInside() {
    this.center.x = Math.min(1, Math.max(0, this.center.x));
    this.center.y = Math.min(1, Math.max(0, this.center.y));
  }
}
