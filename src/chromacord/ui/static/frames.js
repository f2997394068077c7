// Pictures and grades of frames: small ones from the proxy at once, exact ones when the playhead rests.

import { fetched } from "./api.js";

const MAX_BYTES = 256 << 20;
// Without these, browsers premultiply by alpha and convert to the display's colours, which changes the file's codes.
const BITMAP = { premultiplyAlpha: "none", colorSpaceConversion: "none" };

const ARRAYS = { u1: Uint8Array, f2: Uint16Array };

/** Unpack a response: { pictures, box, coded, weighing }. A picture is an ImageBitmap or { data, kind, width, height }. */
async function unpacked(response) {
  if (response.status === 204) return null;  // another frame was requested
  const content = await response.arrayBuffer();
  const length = new DataView(content).getUint32(0, true);
  const { parts, box, coded, weighing } = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length)));
  let start = 4 + length;
  const loading = parts.map(({ name, kind, shape, bytes }) => {
    const [height, width, channels = 1] = shape, from = start;
    start += bytes;
    if (kind.includes("/")) return createImageBitmap(new Blob([new Uint8Array(content, from, bytes)], { type: kind }), BITMAP).then((image) => [name, image]);
    return [name, { data: new ARRAYS[kind](content, from, height * width * channels), kind, width, height, channels }];
  });
  return { pictures: Object.fromEntries(await Promise.all(loading)), box, coded, weighing };
}

export class Frames {
  constructor(clip) {
    this.path = `/api/clips/${clip}`;
    this.small = new Map();
    this.looks = new Map();
    this.bytes = 0;
  }

  /** Return the small pictures of a frame, cached. */
  get(index) {
    if (!this.small.has(index)) this.small.set(index, this.load(index));
    const found = this.small.get(index);
    this.small.delete(index);
    this.small.set(index, found);  // re-inserted as most recently used
    return found;
  }

  has(index) { return this.small.has(index) && this.small.get(index).isThere; }

  load(index) {
    const loading = fetched(`${this.path}/frames/${index}`).then(unpacked);
    loading.then((packet) => { loading.isThere = true; this.count(packet); }, () => this.small.delete(index));
    return loading;
  }

  count({ pictures }) {
    this.bytes += Object.values(pictures).reduce((sum, each) => sum + 4 * each.width * each.height, 0);
    // A Map keeps insertion order, so the first entries are the least recently used.
    for (const [index, each] of this.small) {
      if (this.bytes <= MAX_BYTES || this.small.size < 8) break;
      this.small.delete(index);
      each.then((old) => {
        for (const image of Object.values(old.pictures)) { this.bytes -= 4 * image.width * image.height; image.close?.(); }
      }, () => {});
    }
  }

  /** Return the pictures of a frame at the clip's size, or null if the request was aborted. */
  async getExact(index, signal) {
    try {
      return await unpacked(await fetched(`${this.path}/frames/${index}?exact`, { signal }));
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    }
  }

  /** Return the grade of a frame before manual changes: { kind, shape, values, version }. */
  look(index, version) {
    const key = `${version}/${index}`;
    if (!this.looks.has(key)) {
      const loading = this.fetchLook(index);
      this.looks.set(key, loading);
      loading.catch(() => this.looks.delete(key));
      // A LUT with 17 nodes per side takes 59 kB, so 400 of them take 24 MB.
      if (this.looks.size > 400) this.looks.delete(this.looks.keys().next().value);
    }
    return this.looks.get(key);
  }

  async fetchLook(index) {
    const response = await fetched(`${this.path}/looks/${index}`);
    const head = JSON.parse(response.headers.get("x-look"));
    const version = Number(response.headers.get("x-version"));  // it may have become a later one than was asked for
    return { ...head, version, values: new Float32Array(await response.arrayBuffer()) };
  }

  forgetLooks() { this.looks.clear(); }
}
