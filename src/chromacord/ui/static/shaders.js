// The viewer's shader: applies the renderer's grading to each screen pixel.

export const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

/** Choices that are compiled into a program, because some drivers execute all branches for every pixel. */
const DEFAULTS = {
  KIND: 0,      // of grade. 0: none, 1: LUT, 2: field
  VIEW: 0,      // 0 after, 1 before, 2 wipe, 4 difference, 5 mask, 6 foreground, 7 for scopes, 8 graded chroma
  CODED: 0,     // 0: the picture is R'G'B', 1: codes of Y'CbCr, 2: codes, and their graded chroma has its texture
  LAYERED: 0,   // whether the foreground is a picture of its own
  SNAPPED: 0,   // whether a pixel of the picture is a square of the screen
};

export function fragment(choices) {
  const defines = Object.entries({ ...DEFAULTS, ...choices }).map(([name, value]) => `#define ${name} ${value}`).join("\n");
  return `#version 300 es\n${defines}\n${BODY}`;
}

const BODY = `
precision highp float;
precision highp sampler3D;
precision highp sampler2DArray;
uniform sampler2D picture, mask, layer, chroma, gradedChroma;  // of codes, the picture holds luma
uniform sampler3D lut;
uniform sampler2DArray field;     // three layers, one for each output channel: r g b offset
uniform vec2 size;                // of the picture, in its pixels
uniform vec4 place;               // left, top, and pixels of the screen for one of the picture across and down
uniform vec4 pane;                // left and top of this pane on the canvas, its height, unused
uniform vec2 weighing;            // factor and offset that make weights of the mask's texture
uniform vec3 line;                // the wipe: normal, and distance, in pixels of the pane
uniform vec3 surround;
uniform mat4x3 decode, encode;    // codes to R'G'B' and back
uniform vec2 codes;               // the code that a texture's 1 stands for, and the largest one
uniform ivec2 stride;             // pixels for one sample of chroma, across and down
out vec4 color;

// Tetrahedral interpolation, as in the renderer.
vec3 lookedUp(vec3 rgb) {
  int last = textureSize(lut, 0).x - 1;
  vec3 at = clamp(rgb, 0.0, 1.0) * float(last);
  // Fetched by index, not filtered: hardware trilinear filters have 8 fractional bits and are not tetrahedral.
  ivec3 low = min(ivec3(floor(at)), ivec3(last - 1));
  vec3 f = at - vec3(low);
  vec3 c000 = texelFetch(lut, low, 0).rgb, c111 = texelFetch(lut, low + 1, 0).rgb;
  ivec3 one, two;
  vec3 order;
  if (f.r >= f.g) {
    if (f.g >= f.b) { one = ivec3(1, 0, 0); two = ivec3(1, 1, 0); order = f.rgb; }
    else if (f.r >= f.b) { one = ivec3(1, 0, 0); two = ivec3(1, 0, 1); order = f.rbg; }
    else { one = ivec3(0, 0, 1); two = ivec3(1, 0, 1); order = f.brg; }
  } else {
    if (f.r >= f.b) { one = ivec3(0, 1, 0); two = ivec3(1, 1, 0); order = f.grb; }
    else if (f.g >= f.b) { one = ivec3(0, 1, 0); two = ivec3(0, 1, 1); order = f.gbr; }
    else { one = ivec3(0, 0, 1); two = ivec3(0, 1, 1); order = f.bgr; }
  }
  vec3 c1 = texelFetch(lut, low + one, 0).rgb, c2 = texelFetch(lut, low + two, 0).rgb;
  return c000 * (1.0 - order.x) + c1 * (order.x - order.y) + c2 * (order.y - order.z) + c111 * order.z;
}

vec3 inField(vec3 rgb, vec2 uv) {
  ivec2 nodes = textureSize(field, 0).xy;
  // Outer nodes lie at the centres of the outer cells and are repeated beyond, as in stretch_weights of the renderer.
  vec2 at = clamp(uv * vec2(nodes) - 0.5, vec2(0.0), vec2(nodes - 1));
  ivec2 low = min(ivec2(at), max(nodes - 2, 0));
  vec2 f = at - vec2(low);
  ivec2 high = min(low + 1, nodes - 1);
  vec3 mapped;
  for (int channel = 0; channel < 3; channel++) {
    vec4 top = mix(texelFetch(field, ivec3(low, channel), 0), texelFetch(field, ivec3(high.x, low.y, channel), 0), f.x);
    vec4 bottom = mix(texelFetch(field, ivec3(low.x, high.y, channel), 0), texelFetch(field, ivec3(high, channel), 0), f.x);
    mapped[channel] = dot(mix(top, bottom, f.y), vec4(rgb, 1.0));
  }
  return mapped;
}

vec3 graded(vec3 rgb, vec2 uv) {
#if KIND == 1
  return clamp(lookedUp(rgb), 0.0, 1.0);
#elif KIND == 2
  return clamp(inField(clamp(rgb, 0.0, 1.0), uv), 0.0, 1.0);
#else
  return rgb;
#endif
}

float weightOf(float sampled) { return clamp(sampled * weighing.x + weighing.y, 0.0, 1.0); }
vec3 decoded(vec3 code) { return decode * vec4(code, 1.0); }
vec3 encoded(vec3 rgb) { return encode * vec4(rgb, 1.0); }

// Interpolate chroma; a sample is sited on the left pixel of its group, midway between its rows.
vec2 between(sampler2D samples, vec2 pixel) {
  vec2 at = pixel / vec2(stride) + vec2(0.5 - 0.5 / float(stride.x), 0.0);
#if SNAPPED
  // Fetch by index here too: some drivers filter 8-bit textures with 8-bit precision, which is off by one code.
  ivec2 last = textureSize(samples, 0) - 1, low = ivec2(floor(at - 0.5));
  vec2 f = at - 0.5 - vec2(low);
  ivec2 near = clamp(low, ivec2(0), last), far = clamp(low + 1, ivec2(0), last);
  vec2 top = mix(texelFetch(samples, near, 0).rg, texelFetch(samples, ivec2(far.x, near.y), 0).rg, f.x);
  vec2 bottom = mix(texelFetch(samples, ivec2(near.x, far.y), 0).rg, texelFetch(samples, far, 0).rg, f.x);
  return mix(top, bottom, f.y);
#else
  return texture(samples, at / vec2(textureSize(samples, 0))).rg;
#endif
}

#if VIEW == 8
// One sample of chroma: it changes by the mean change of its pixels, as in the renderer.
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy), last = ivec2(size) - 1;
  vec2 before = texelFetch(chroma, at, 0).rg * codes.x, change = vec2(0.0);
  float count = 0.0;
  for (int row = 0; row < stride.y; row++) {
    for (int column = 0; column < stride.x; column++) {
      ivec2 spot = at * stride + ivec2(column, row);
      if (any(greaterThan(spot, last))) continue;
      count += 1.0;
      vec3 code = vec3(texelFetch(picture, spot, 0).r * codes.x, before);
      vec3 after = encoded(graded(decoded(code), (vec2(spot) + 0.5) / size));
      change += weightOf(texelFetch(mask, spot, 0).r) * (after.yz - before);
    }
  }
  color = vec4(roundEven(clamp(before + change / count, 0.0, codes.y)) / codes.x, 0.0, 1.0);
}
#else
void main() {
  // WebGL counts rows from the bottom, pictures from the top.
  vec2 spot = vec2(gl_FragCoord.x - pane.x, pane.z - (gl_FragCoord.y - pane.y));
  vec2 pixel = (spot - place.xy) / place.zw;
  if (any(lessThan(pixel, vec2(0.0))) || any(greaterThanEqual(pixel, size))) { color = vec4(surround, 0.0); return; }
#if SNAPPED
  pixel = floor(pixel) + 0.5;
#endif
  vec2 uv = pixel / size;
#if CODED
  vec3 code = vec3(texture(picture, uv).r, between(chroma, pixel)) * codes.x;
  vec3 before = clamp(decoded(code), 0.0, 1.0);
#else
  vec3 before = texture(picture, uv).rgb;
#endif
#if KIND > 0 || VIEW > 4
  float weight = weightOf(texture(mask, uv).r);
#endif
  vec3 after = before;
#if KIND > 0 && VIEW != 1
#if CODED == 2
  vec2 own = texelFetch(chroma, ivec2(pixel) / stride, 0).rg * codes.x;
  float luma = encoded(graded(decoded(vec3(code.x, own)), uv)).x;
  luma = roundEven(clamp(code.x + weight * (luma - code.x), 0.0, codes.y));
  after = clamp(decoded(vec3(luma, between(gradedChroma, pixel) * codes.x)), 0.0, 1.0);
#else
#if LAYERED
  vec3 source = texture(layer, uv).rgb;
#else
  vec3 source = before;
#endif
  after = clamp(before + weight * (graded(source, uv) - source), 0.0, 1.0);
#endif
#endif
  vec3 shown = after;
#if VIEW == 1
  shown = before;
#elif VIEW == 2
  float side = dot(spot, line.xy) - line.z;
  shown = abs(side) < 1.0 ? vec3(side < 0.0 ? 0.95 : 0.1) : side < 0.0 ? before : after;
#elif VIEW == 4
  shown = abs(after - before) * 4.0;
#elif VIEW == 5
  shown = mix(vec3(dot(before, vec3(0.2126, 0.7152, 0.0722))) * 0.6, before, 0.35) + weight * vec3(0.38, 0.02, 0.02);
#elif VIEW == 6
  shown = mix(vec3(0.18), after, weight);
#endif
#if VIEW == 7
  color = vec4(shown, weight);
#else
  color = vec4(shown, 1.0);
#endif
}
#endif`;
