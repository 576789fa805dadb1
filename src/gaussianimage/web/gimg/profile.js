/**
 * Converts colors to sRGB by the ICC profile of a picture (ICC.1:2022). It knows profiles of a matrix
 * and curves, as those of cameras and screens are (Display P3, Adobe RGB), and gray ones of a curve.
 */

/**
 * @typedef {object} Conversion
 * From samples of 8 bits to sRGB.
 * @property {Float64Array[]} curves linear light of each sample: 256 of each of red, green and blue
 * @property {number[]} matrix 9 numbers, from linear colors to linear sRGB, row by row
 */

/** From XYZ, relative to D50, to linear sRGB: the inverse of the matrix of sRGB's own profile. */
const XYZ_TO_SRGB = [
  3.1341359, -1.6173864, -0.4906619, -0.978795, 1.9162544, 0.0334424, 0.0719553, -0.2289768, 1.405386,
];
const ENCODED_STEPS = 2 ** 14;

/** @type {Uint8Array | null} sRGB's 8 bits of linear light in steps of 1 / ENCODED_STEPS */
let encodedLevels = null;

/**
 * Reads a profile.
 * @param {Uint8Array} profile
 * @returns {Conversion | 'srgb' | null} `srgb` if there is nothing to convert; null if the profile is of
 *   another kind or damaged
 */
export function readProfile(profile) {
  try {
    return parseProfile(new DataView(profile.buffer, profile.byteOffset, profile.length));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return null;
  }
}

/**
 * @param {DataView} view
 * @returns {Conversion | 'srgb' | null}
 * @throws {RangeError} a part is missing
 */
function parseProfile(view) {
  const space = textAt(view, 16);
  if (textAt(view, 36) !== 'acsp' || textAt(view, 20) !== 'XYZ ') return null;
  /** @type {Map<string, number>} */
  const tags = new Map();
  const count = Math.min(view.getUint32(128), 256);
  for (let i = 0; i < count; i++) tags.set(textAt(view, 132 + 12 * i), view.getUint32(136 + 12 * i));
  /** @type {(name: string) => number} */
  const placeOf = (name) => tags.get(name) ?? view.byteLength;
  if (space === 'GRAY') {
    const curve = readCurve(view, placeOf('kTRC'));
    return curve && unlessSrgb({ curves: [curve, curve, curve], matrix: [1, 0, 0, 0, 1, 0, 0, 0, 1] });
  }
  if (space !== 'RGB ' || !tags.has('rXYZ')) return null;
  const curves = [];
  const columns = [];
  for (const color of 'rgb') {
    const curve = readCurve(view, placeOf(`${color}TRC`));
    if (!curve) return null;
    curves.push(curve);
    const at = placeOf(`${color}XYZ`);
    columns.push([8, 12, 16].map((from) => view.getInt32(at + from) / 65536));
  }
  const matrix = [];
  for (let row = 0; row < 3; row++) {
    for (const column of columns) {
      matrix.push(column.reduce((sum, value, k) => sum + XYZ_TO_SRGB[3 * row + k] * value, 0));
    }
  }
  return unlessSrgb({ curves, matrix });
}

/**
 * @param {DataView} view
 * @param {number} at
 */
function textAt(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

/**
 * Returns the linear light of the samples 0 to 255, or null if the curve is of an unknown type.
 * @param {DataView} view
 * @param {number} at
 */
function readCurve(view, at) {
  const type = textAt(view, at);
  /** @type {(x: number) => number} */
  let curve;
  if (type === 'curv') {
    const count = view.getUint32(at + 8);
    if (count === 0) curve = (x) => x;
    else if (count === 1) curve = (x) => x ** (view.getUint16(at + 12) / 256);
    else {
      curve = (x) => {
        const place = x * (count - 1);
        const low = Math.min(Math.floor(place), count - 2);
        const [a, b] = [0, 1].map((next) => view.getUint16(at + 12 + 2 * (low + next)) / 65535);
        return a + (b - a) * (place - low);
      };
    }
  } else if (type === 'para') {
    const kind = view.getUint16(at + 8);
    const numbers = [1, 3, 4, 5, 7][kind];
    if (!numbers) return null;
    const read = Array.from({ length: numbers }, (_, i) => view.getInt32(at + 12 + 4 * i) / 65536);
    const [g, a = 1, b = 0, third = 0, fourth = 0, e = 0, f = 0] = read;
    // Kinds 1 and 2 change at -b / a; 2 adds the third number on both sides.
    if (!a) return null;
    const change = kind < 3 ? (kind ? -b / a : -Infinity) : fourth;
    const slope = kind < 3 ? 0 : third;
    const above = kind === 2 ? third : e;
    const below = kind === 2 ? third : f;
    curve = (x) => (x >= change ? (a * x + b) ** g + above : slope * x + below);
  } else {
    return null;
  }
  const values = Float64Array.from({ length: 256 }, (_, i) => curve(i / 255));
  return values.every(Number.isFinite) ? values : null;
}

/**
 * Returns `srgb` for a conversion that changes no sample by more than a level.
 * @param {Conversion} conversion
 */
function unlessSrgb(conversion) {
  const steps = [0, 25, 51, 102, 153, 204, 255];
  const pixels = new Uint8ClampedArray(
    steps.flatMap((r) => steps.flatMap((g) => steps.flatMap((b) => [r, g, b, 255]))),
  );
  const converted = pixels.slice();
  convertToSrgb(conversion, converted);
  return converted.every((value, i) => Math.abs(value - pixels[i]) <= 1) ? 'srgb' : conversion;
}

/**
 * Converts pixels to sRGB; colors beyond it are clipped.
 * @param {Conversion} conversion
 * @param {Uint8ClampedArray} pixels RGBA, not multiplied by alpha
 */
export function convertToSrgb({ curves, matrix }, pixels) {
  encodedLevels ??= Uint8Array.from({ length: ENCODED_STEPS + 1 }, (_, i) => {
    const light = i / ENCODED_STEPS;
    const value = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
    return Math.round(255 * value);
  });
  const levels = encodedLevels;
  const [red, green, blue] = curves;
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = matrix.map((value) => value * ENCODED_STEPS);
  /** @type {(light: number) => number} */
  const encode = (light) => levels[light > 0 ? (light < ENCODED_STEPS ? (light + 0.5) | 0 : ENCODED_STEPS) : 0];
  for (let i = 0; i < pixels.length; i += 4) {
    const r = red[pixels[i]];
    const g = green[pixels[i + 1]];
    const b = blue[pixels[i + 2]];
    pixels[i] = encode(m0 * r + m1 * g + m2 * b);
    pixels[i + 1] = encode(m3 * r + m4 * g + m5 * b);
    pixels[i + 2] = encode(m6 * r + m7 * g + m8 * b);
  }
}
