// Apply manual changes to the nodes of a LUT or the matrices of a field, with the formulas of `chromacord.Parametric`.

export const NEUTRAL = {
  exposure: 0, temperature: 0, tint: 0, contrast: 1, saturation: 1, black: 0, tone: 1, colour: 1,
};

export function isNeutral(hand) {
  return Object.keys(NEUTRAL).every((name) => hand[name] === NEUTRAL[name]);
}

/** Gains of R', G' and B', and the matrix and offset after contrast. */
function prepared(hand, turning) {
  const { stops, luma, neutral } = turning;
  const gains = [0, 1, 2].map((channel) =>
    2 ** (hand.exposure * stops.exposure[channel] + hand.temperature * stops.temperature[channel] + hand.tint * stops.tint[channel]));
  const saturate = [0, 1, 2].map((row) => luma.map((weight, column) =>
    (1 - hand.black) * ((row === column ? hand.saturation : 0) + (1 - hand.saturation) * weight)));
  return { gains, saturate, offset: hand.black, contrast: hand.contrast, pivot: neutral.pivot, luma };
}

function bent(value, { contrast, pivot }) {
  return contrast === 1 ? value : Math.sign(value) * pivot * (Math.abs(value) / pivot) ** contrast;
}

/** Weaken, then adjust a LUT. In: RGB per node, red fastest. Out: RGBA per node. */
export function turnedLut(nodes, size, hand, turning) {
  const how = prepared(hand, turning);
  const { gains, saturate, luma } = how;
  const out = new Float32Array(4 * size ** 3);
  const last = size - 1;
  let place = 0;
  for (let blue = 0; blue < size; blue++) {
    for (let green = 0; green < size; green++) {
      for (let red = 0; red < size; red++, place++) {
        // As in `grade.by_hand.weakened`: the luma change is added equally to all channels; the rest has no luma.
        const unit = [red / last, green / last, blue / last];
        const change = unit.map((value, channel) => nodes[3 * place + channel] - value);
        const tone = luma[0] * change[0] + luma[1] * change[1] + luma[2] * change[2];
        const numbers = unit.map((value, channel) =>
          bent((value + hand.tone * tone + hand.colour * (change[channel] - tone)) * gains[channel], how));
        for (let channel = 0; channel < 3; channel++) {
          const row = saturate[channel];
          out[4 * place + channel] = row[0] * numbers[0] + row[1] * numbers[1] + row[2] * numbers[2] + how.offset;
        }
      }
    }
  }
  return out;
}

/** Weaken, then adjust a field of 3x4 matrices; contrast is not supported. In and out: r g b offset per row. */
export function turnedField(values, hand, turning) {
  // A power is not affine, so contrast cannot be folded into matrices.
  const { gains, saturate, offset, luma } = prepared({ ...hand, contrast: 1 }, turning);
  const out = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += 12) {
    for (let column = 0; column < 4; column++) {
      const unit = [0, 1, 2].map((row) => (row === column ? 1 : 0));
      const change = unit.map((value, row) => values[start + 4 * row + column] - value);
      const tone = luma[0] * change[0] + luma[1] * change[1] + luma[2] * change[2];
      const kept = unit.map((value, row) => (value + hand.tone * tone + hand.colour * (change[row] - tone)) * gains[row]);
      for (let row = 0; row < 3; row++) {
        const weights = saturate[row];
        const sum = weights[0] * kept[0] + weights[1] * kept[1] + weights[2] * kept[2];
        out[start + 4 * row + column] = sum + (column === 3 ? offset : 0);
      }
    }
  }
  return out;
}
