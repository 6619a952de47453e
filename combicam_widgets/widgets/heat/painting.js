// Heat as pictures to lay over a photo, like Python's `heat_picture`.

const WHITE = [255, 255, 255, 255];
const DARK = [0, 0, 0, 150];

/** Which of the values belong to the hottest fraction; as `hottest` in Python has it. */
export function hottest(values, keep) {
  const count = Math.max(1, Math.round(keep * values.length));
  const sorted = Float64Array.from(values).sort();
  const least = sorted[sorted.length - count];
  let left = count;
  for (const value of values) if (value > least) left -= 1;
  // Among equals, the earlier in reading order.
  return Array.from(values, (value) => {
    if (!(value > 0) || value < least) return false;
    return value > least || left-- > 0;
  });
}

/**
 * RGBA of heat in the colours of a palette, four bytes each: Python's `heat_palette` says how opaque
 * which heat is. The outline of a mask is white within dark.
 */
export function painted({ shape, values }, palette, opacity, mask = null) {
  const [height, width] = shape;
  const pixels = new Uint8ClampedArray(4 * values.length);
  const last = palette.length / 4 - 1;
  for (let i = 0; i < values.length; i++) {
    const level = Math.round(values[i] * last);
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = palette[4 * level + c];
    pixels[4 * i + 3] = Math.round(opacity * palette[4 * level + 3]);
  }
  if (!mask) return pixels;
  for (let i = 0; i < mask.length; i++) {
    const x = i % width;
    const around = [
      x > 0 && mask[i - 1],
      x < width - 1 && mask[i + 1],
      i >= width && mask[i - width],
      i < width * (height - 1) && mask[i + width],
    ];
    if (mask[i] && !around.every(Boolean)) pixels.set(WHITE, 4 * i);
    if (!mask[i] && around.some(Boolean)) pixels.set(DARK, 4 * i);
  }
  return pixels;
}

/** RGBA of a difference, values from -1 to 1, in the colours of Python's `difference_palette`. */
export function paintedDifference({ shape, values }, palette, opacity) {
  return painted({ shape, values: values.map((value) => (value + 1) / 2) }, palette, opacity);
}

/** A data URI of a PNG of heat. */
export function picture(heat, palette, opacity, mask) {
  return png(heat.shape, painted(heat, palette, opacity, mask));
}

/** A data URI of a PNG. */
export function png(shape, pixels) {
  const [height, width] = shape;
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas.toDataURL();
}
