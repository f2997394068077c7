// The viewer's shader: it does what the renderer does to a picture, for each pixel of the screen.

export const VERTEX = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler3D;
precision highp sampler2DArray;
uniform sampler2D picture, mask, layer;
uniform sampler3D lut;
uniform sampler2DArray field;     // three layers, one for each output channel: r g b offset
uniform int kind;                 // 0: no grade, 1: LUT, 2: field
uniform int view;                 // 0 after, 1 before, 2 wipe, 4 difference, 5 mask, 6 foreground, 7 for scopes
uniform bool hasLayer;
uniform vec2 size;                // of the picture, in its pixels
uniform vec4 place;               // left, top, and pixels of the screen for one of the picture across and down
uniform vec4 pane;                // left and top of this pane on the canvas, its height, unused
uniform vec3 line;                // the wipe: normal, and distance, in pixels of the pane
uniform vec3 surround;
out vec4 color;

// Tetrahedral interpolation, as in the renderer.
vec3 lookedUp(vec3 rgb) {
  int last = textureSize(lut, 0).x - 1;
  vec3 at = rgb * float(last);
  // Fetched by index, not filtered: the card's own trilinear filter has 8 bits of fraction, and other corners.
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
  if (kind == 0) return rgb;
  return clamp(kind == 1 ? lookedUp(rgb) : inField(rgb, uv), 0.0, 1.0);
}

void main() {
  // WebGL counts rows from the bottom, pictures from the top.
  vec2 spot = vec2(gl_FragCoord.x - pane.x, pane.z - (gl_FragCoord.y - pane.y));
  vec2 uv = (spot - place.xy) / place.zw / size;
  if (any(lessThan(uv, vec2(0.0))) || any(greaterThanEqual(uv, vec2(1.0)))) { color = vec4(surround, 0.0); return; }
  vec3 before = texture(picture, uv).rgb;
  float weight = texture(mask, uv).r;
  float side = dot(spot, line.xy) - line.z;
  bool plain = view == 1 || (view == 2 && side < 0.0);
  vec3 after = before;
  if (!plain && weight > 0.0) {
    vec3 source = hasLayer ? texture(layer, uv).rgb : before;
    after = clamp(before + weight * (graded(source, uv) - source), 0.0, 1.0);
  }
  vec3 shown = plain ? before : after;
  if (view == 2 && abs(side) < 1.0) shown = vec3(side < 0.0 ? 0.95 : 0.1);
  if (view == 4) shown = abs(after - before) * 4.0;
  if (view == 5) shown = mix(vec3(dot(before, vec3(0.2126, 0.7152, 0.0722))) * 0.6, before, 0.35) + weight * vec3(0.38, 0.02, 0.02);
  if (view == 6) shown = mix(vec3(0.18), after, weight);
  color = vec4(shown, view == 7 ? weight : 1.0);
}`;
