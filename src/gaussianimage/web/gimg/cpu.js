/** Draws a picture on the CPU, in bands of rows. It is the fall-back where WebGL2 is missing. */
import { GimgError } from './gimg.js';
import { footprints, mapSize, placeGaussians } from './view.js';

/** @typedef {import('./gimg.js').Picture} Picture */
/** @typedef {import('./view.js').View} View */
/** @typedef {import('./view.js').Placed} Placed */

const BAND_VALUES = 2 ** 18;
/** More pairs of a pixel and a Gaussian take more than about ten seconds. */
const MOST_CPU_PAIRS = 2 ** 32;

/**
 * Draws the first `count` Gaussians of a picture.
 * @param {Picture} picture
 * @param {View} view
 * @param {number} [count]
 * @returns {ImageData} 8 bits of red, green, blue and alpha, not multiplied by alpha
 */
export function drawOnCpu(picture, view, count = picture.count) {
  const pixels = drawPixels(picture, view, count);
  return new ImageData(/** @type {any} */ (pixels), view.width, view.height);
}

/**
 * Does as `drawOnCpu`, without the browser's class.
 * @param {Picture} picture
 * @param {View} view
 * @param {number} [count]
 * @returns {Uint8ClampedArray}
 * @throws {GimgError} the drawing would take too long
 */
export function drawPixels(picture, view, count = picture.count) {
  const { width, height } = view;
  const { header } = picture;
  const { channels } = header;
  const placed = placeGaussians(picture, view, count);
  if (placed.pairs > MOST_CPU_PAIRS) {
    throw new GimgError('limit', 'the picture takes too long to draw at this size');
  }
  const pixels = new Uint8ClampedArray(4 * width * height);
  const rows = Math.max(1, Math.min(height, Math.floor(BAND_VALUES / (width * channels))));
  const sums = new Float32Array(rows * width * channels);
  const classes = alphaClasses(picture, view);
  const reach = Math.sqrt(2 * header.qMax);
  for (let top = 0; top < height; top += rows) {
    const bottom = Math.min(top + rows, height);
    const length = (bottom - top) * width * channels;
    for (let i = 0; i < length; i++) sums[i] = header.background[i % channels];
    for (let k = 0; k < placed.count; k++) {
      addGaussian(picture, placed, k, reach, sums, width, top, bottom);
    }
    finishBand(sums, channels, width, top, bottom, classes, pixels);
  }
  return pixels;
}

/**
 * Adds a Gaussian to the sums of the rows from `top` to `bottom`.
 *
 * Along a row the exponent is a x^2 + b, with x from the row's maximum, so each value is the one
 * before times a ratio, which itself changes by a constant ratio.
 * @param {Picture} picture
 * @param {Placed} placed
 * @param {number} k
 * @param {number} reach
 * @param {Float32Array} sums
 * @param {number} width
 * @param {number} top
 * @param {number} bottom
 */
function addGaussian(picture, placed, k, reach, sums, width, top, bottom) {
  const at = 5 * k;
  const { shape } = placed;
  const meanY = shape[at + 1];
  const l21 = shape[at + 3];
  const l22 = shape[at + 4];
  const reachY = reach * Math.sqrt(l21 * l21 + l22 * l22);
  const first = Math.max(top, Math.ceil(meanY - reachY - 0.5));
  const last = Math.min(bottom - 1, Math.floor(meanY + reachY - 0.5));
  if (first > last) return;
  const { channels } = picture.header;
  const meanX = shape[at];
  const l11 = shape[at + 2];
  const slope = l21 / l22;
  const curve = 1 + slope * slope;
  const a = curve / (2 * l11 * l11);
  const ratio = Math.exp(-2 * a);
  const color = channels * placed.index[k];
  const fade = placed.fade[k];
  const red = picture.colors[color] * fade;
  const green = picture.colors[color + 1] * fade;
  const blue = picture.colors[color + 2] * fade;
  for (let y = first; y <= last; y++) {
    const z = (y + 0.5 - meanY) / l22;
    const least = (z * z) / curve;
    const room = reach * reach - least;
    if (room < 0) continue;
    const center = meanX + (l11 * z * slope) / curve - 0.5;
    const half = l11 * Math.sqrt(room / curve);
    const from = Math.max(0, Math.ceil(center - half));
    const to = Math.min(width - 1, Math.floor(center + half));
    if (from > to) continue;
    const x = from - center;
    let value = Math.exp(-0.5 * least - a * x * x);
    let factor = Math.exp(-a * (2 * x + 1));
    let i = ((y - top) * width + from) * channels;
    if (channels === 3) {
      for (const end = i + 3 * (to - from); i <= end; i += 3) {
        sums[i] += red * value;
        sums[i + 1] += green * value;
        sums[i + 2] += blue * value;
        value *= factor;
        factor *= ratio;
      }
    } else {
      for (const end = i + channels * (to - from); i <= end; i += channels) {
        for (let c = 0; c < channels; c++) sums[i + c] += picture.colors[color + c] * fade * value;
        value *= factor;
        factor *= ratio;
      }
    }
  }
}

/**
 * Returns the class of alpha of each pixel of a canvas, 3 where its footprint has several, or null if
 * the picture has no map of alpha.
 * @param {Picture} picture
 * @param {View} view
 */
function alphaClasses(picture, view) {
  const { alpha, alphaPlace } = picture;
  if (!alpha) return null;
  const { columns, rows } = footprints(alphaPlace, view);
  const stride = mapSize(alphaPlace).columns;
  const classes = new Uint8Array(view.width * view.height);
  for (let j = 0, at = 0; j < view.height; j++) {
    for (let i = 0; i < view.width; i++, at++) {
      const [left, right] = [columns[2 * i], columns[2 * i + 1]];
      const [top, bottom] = [rows[2 * j], rows[2 * j + 1]];
      let found = left < right && top < bottom ? alpha[top * stride + left] : 3;
      for (let y = top; y < bottom && found < 3; y++) {
        for (let x = left; x < right; x++) {
          if (alpha[y * stride + x] !== found) {
            found = 3;
            break;
          }
        }
      }
      classes[at] = found;
    }
  }
  return classes;
}

/**
 * Turns sums into pixels, as 4.7 and 4.9 of docs/format.md say.
 * @param {Float32Array} sums
 * @param {number} channels
 * @param {number} width
 * @param {number} top
 * @param {number} bottom
 * @param {Uint8Array | null} classes
 * @param {Uint8ClampedArray} pixels
 */
function finishBand(sums, channels, width, top, bottom, classes, pixels) {
  const colors = channels < 3 ? 1 : 3;
  for (let p = top * width, i = 0; p < bottom * width; p++, i += channels) {
    let alpha = 1;
    let divisor = 1;
    if (channels % 2 === 0) {
      alpha = Math.min(Math.max(sums[i + channels - 1], 0), 1);
      divisor = Math.round(255 * alpha) > 0 ? alpha : Infinity;
      const found = classes ? classes[p] : 3;
      if (found === 0) [alpha, divisor] = [0, Infinity];
      if (found === 1) [alpha, divisor] = [1, 1];
      if (found === 2) alpha = divisor = Math.min(Math.max(alpha, 1 / 255), 1 - 1 / 255);
    }
    for (let c = 0; c < 3; c++) {
      const value = Math.min(Math.max(sums[i + (colors === 1 ? 0 : c)], 0), 1);
      pixels[4 * p + c] = (255 * value) / divisor;
    }
    pixels[4 * p + 3] = 255 * alpha;
  }
}
