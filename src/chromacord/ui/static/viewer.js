// The picture on the screen: textures, the shader, zoom and the wipe.

import { FRAGMENT, VERTEX } from "./shaders.js";

export const VIEWS = { after: 0, before: 1, wipe: 2, side: 3, difference: 4, mask: 5, foreground: 6 };
const SCOPES = 7;
const SURROUND = 0x20 / 255;
const UNITS = { picture: 0, mask: 1, layer: 2, lut: 3, field: 4 };

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
    // Without this the browser never restores a context that a driver reset has taken.
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
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the viewer's shader does not work here: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    this.at = (name) => gl.getUniformLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    // One triangle larger than the screen: two would meet in a diagonal that is drawn twice.
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(gl.getAttribLocation(program, "corner"));
    gl.vertexAttribPointer(gl.getAttribLocation(program, "corner"), 2, gl.FLOAT, false, 0, 0);
    // Rows of RGB bytes are not padded to four bytes.
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    this.textures = {};
    this.reduced = new Set();  // textures that have their mipmaps
    for (const name of ["picture", "mask", "layer"]) this.makeTexture(name, gl.TEXTURE_2D);
    this.makeTexture("lut", gl.TEXTURE_3D);
    this.makeTexture("field", gl.TEXTURE_2D_ARRAY);
    for (const name of ["picture", "mask", "layer"]) this.upload(name, { data: new Uint8Array(3), width: 1, height: 1 });
    // Without values every sampler must still find a texture of its kind.
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
    gl.uniform1i(this.at(name), UNITS[name]);
  }

  /** Take a picture: an ImageBitmap, or { data, width, height } with bytes of one or three channels. */
  upload(name, image) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0 + UNITS[name]);
    if (image.data) {
      const isGrey = image.data.length === image.width * image.height;
      const [stored, format] = isGrey ? [gl.R8, gl.RED] : [gl.RGB8, gl.RGB];
      gl.texImage2D(gl.TEXTURE_2D, 0, stored, image.width, image.height, 0, format, gl.UNSIGNED_BYTE, image.data);
    } else {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, image);
    }
    this.reduced.delete(name);
  }

  show(images) {
    this.upload("picture", images.picture);
    this.upload("mask", images.mask);
    this.hasLayer = Boolean(images.layer);
    if (images.layer) this.upload("layer", images.layer);
    this.shownWidth = images.picture.width;
    this.hasPicture = true;
  }

  setLut(nodes, size) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0 + UNITS.lut);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.RGBA32F, size, size, size, 0, gl.RGBA, gl.FLOAT, nodes);
    this.kind = 1;
  }

  /** Take a field of matrices; values in the order row, column, output channel, r g b offset. */
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
  }

  setNoGrade() { this.kind = 0; }

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

  /** Draw before the screen is refreshed next, once however often it is asked for. */
  request() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.draw(); });
  }

  get paneWidth() { return this.view === "side" ? this.canvas.width / 2 : this.canvas.width; }

  get scale() {
    if (this.zoom !== null) return this.zoom;
    return Math.min(this.paneWidth / (this.size.width * this.size.aspect), this.canvas.height / this.size.height);
  }

  /** Left and top of the picture in its pane, and pixels of the screen for one of the picture across and down. */
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

  pane(view, left, bottom, width, height, place) {
    const gl = this.gl;
    gl.viewport(left, bottom, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(left, bottom, width, height);
    gl.uniform1i(this.at("view"), view);
    gl.uniform1i(this.at("kind"), this.kind);
    gl.uniform1i(this.at("hasLayer"), this.hasLayer ? 1 : 0);
    gl.uniform2f(this.at("size"), this.size.width, this.size.height);
    gl.uniform4f(this.at("place"), ...place);
    gl.uniform4f(this.at("pane"), left, bottom, height, 0);
    gl.uniform3f(this.at("surround"), SURROUND, SURROUND, SURROUND);
    const turn = (this.wipe.angle * Math.PI) / 180;
    const normal = [Math.cos(turn), Math.sin(turn)];
    const distance = normal[0] * this.wipe.x * this.canvas.width + normal[1] * this.wipe.y * this.canvas.height;
    gl.uniform3f(this.at("line"), normal[0], normal[1], distance);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
  }

  /** Show pixels as they are from their own size on, and means of them below. */
  setFilter() {
    const gl = this.gl;
    const enlarged = (this.scale * this.size.width) / this.shownWidth;
    const isProxy = this.shownWidth < this.size.width;
    // Down to half the size four neighbours are enough; mipmaps take time for each new picture.
    const small = enlarged < 0.5 ? gl.LINEAR_MIPMAP_NEAREST : enlarged < 0.999 ? gl.LINEAR : gl.NEAREST;
    for (const name of this.hasLayer ? ["picture", "mask", "layer"] : ["picture", "mask"]) {
      gl.activeTexture(gl.TEXTURE0 + UNITS[name]);
      if (enlarged < 0.5 && !this.reduced.has(name)) {
        gl.generateMipmap(gl.TEXTURE_2D);
        this.reduced.add(name);
      }
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, small);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, isProxy ? gl.LINEAR : gl.NEAREST);
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

  /** Zoom so that a point of the canvas keeps its pixel. */
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
