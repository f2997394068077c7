// Pictures and grades of frames: small ones from the proxy at once, exact ones when the playhead rests.

import { fetched } from "./api.js";

const MAX_BYTES = 256 << 20;
// Without these, browsers multiply by alpha and convert to the screen's colours, and codes would not be the
// file's.
const BITMAP = { premultiplyAlpha: "none", colorSpaceConversion: "none" };

async function bitmap(path) {
  return createImageBitmap(await (await fetched(path)).blob(), BITMAP);
}

async function exact(path) {
  const response = await fetched(path);
  if (response.status === 204) return null;  // another frame was asked for
  const [width, height] = ["x-width", "x-height"].map((name) => Number(response.headers.get(name)));
  return { data: new Uint8Array(await response.arrayBuffer()), width, height };
}

export class Frames {
  constructor(clip, hasLayer) {
    this.path = `/api/clips/${clip}`;
    this.kinds = hasLayer ? ["picture", "mask", "layer"] : ["picture", "mask"];
    this.small = new Map();
    this.looks = new Map();
    this.bytes = 0;
  }

  /** Return the small pictures of a frame, which are kept for a while. */
  get(index) {
    if (!this.small.has(index)) this.small.set(index, this.load(index, false));
    const found = this.small.get(index);
    this.small.delete(index);
    this.small.set(index, found);  // the last one used is dropped last
    return found;
  }

  has(index) { return this.small.has(index) && this.small.get(index).isThere; }

  load(index, isExact) {
    const paths = this.kinds.map((kind) => `${this.path}/frames/${index}/${kind}`);
    const loading = Promise.all(paths.map((path) => (isExact ? exact(`${path}?exact`) : bitmap(path))))
      .then((images) => Object.fromEntries(this.kinds.map((kind, number) => [kind, images[number]])));
    if (!isExact) loading.then((images) => { loading.isThere = true; this.count(images); }, () => this.small.delete(index));
    return loading;
  }

  count(images) {
    this.bytes += Object.values(images).reduce((sum, each) => sum + 4 * each.width * each.height, 0);
    // A Map keeps the order of insertion, so the first entries are those used longest ago.
    for (const [index, each] of this.small) {
      if (this.bytes <= MAX_BYTES || this.small.size < 8) break;
      this.small.delete(index);
      each.then((old) => {
        for (const image of Object.values(old)) { this.bytes -= 4 * image.width * image.height; image.close(); }
      }, () => {});
    }
  }

  getExact(index) { return this.load(index, true); }

  /** Return the grade of a frame before changes by hand: { kind, shape, values }. */
  look(index, version) {
    const key = `${version}/${index}`;
    if (!this.looks.has(key)) {
      const loading = this.fetchLook(index);
      this.looks.set(key, loading);
      loading.catch(() => this.looks.delete(key));
      // A LUT with 17 nodes a side takes 59 kB, so 400 of them 24 MB.
      if (this.looks.size > 400) this.looks.delete(this.looks.keys().next().value);
    }
    return this.looks.get(key);
  }

  async fetchLook(index) {
    const response = await fetched(`${this.path}/looks/${index}`);
    const head = JSON.parse(response.headers.get("x-look"));
    return { ...head, values: new Float32Array(await response.arrayBuffer()) };
  }

  forgetLooks() { this.looks.clear(); }
}
