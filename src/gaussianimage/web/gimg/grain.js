/**
 * Grain: noise in place of texture that is too fine for Gaussians (docs/format.md, 4.10). Integers
 * only, so a picture of 8 bits gets the noise that the native decoder adds.
 */
import { fail, makeModels, openStream } from './gimg.js';

/** @typedef {import('./gimg.js').Picture} Picture */

/**
 * @typedef {object} Grain
 * @property {number} seed
 * @property {number} cell binary logarithm of the side of a cell in pixels
 * @property {number} columns number of cells in a row
 * @property {number} rows
 * @property {Uint8Array} levels five bands for each cell, 0 to 15
 * @property {Int32Array} factors of the strength for each luma of 0 to 255, in units of 1/64
 */

/**
 * @typedef {object} Part
 * A part of a drawn picture, in its pixels.
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

const BANDS = 5;
const CHUNK_START = 5;
const MOST_CELLS = 2 ** 18;
const GRAIN_WEIGHTS = [60, 40, 15, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 15, 40];
const GRAIN_CONFIDENCE = 4;
const STRENGTHS = [0, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362];

/**
 * Reads the grain of a picture.
 * @param {Picture} picture
 * @returns {Grain | null} null if it has none
 * @throws {GimgError} the chunk is invalid
 */
export function readGrain(picture) {
  const payload = picture.chunks.get('gRAN');
  if (!payload) return null;
  const { height, width } = picture.header;
  const [seed, cell, dark, middle, light] = payload;
  const columns = Math.ceil(width / 2 ** cell);
  const rows = Math.ceil(height / 2 ** cell);
  const valid = payload.length >= CHUNK_START && cell >= 3 && cell <= 8 && rows * columns <= MOST_CELLS;
  const levels = valid ? decodeGrainLevels(payload.subarray(CHUNK_START), rows, columns) : null;
  if (!levels) return fail('the grain does not decode', 0);
  const factors = Int32Array.from({ length: 256 }, (_, luma) => {
    const rise = (middle - dark) * Math.min(luma, 128) + (light - middle) * Math.max(luma - 128, 0);
    return dark + (rise >> 7);
  });
  return { seed, cell, columns, rows, levels, factors };
}

/**
 * @param {Uint8Array} data
 * @param {number} rows
 * @param {number} columns
 */
function decodeGrainLevels(data, rows, columns) {
  const models = makeModels(
    Array(BANDS).fill(16),
    Array(BANDS).fill(GRAIN_WEIGHTS).flat(),
    GRAIN_CONFIDENCE,
  );
  const stream = openStream(data, models, 2, [1]);
  const levels = new Uint8Array(rows * columns * BANDS);
  const means = new Int32Array(BANDS);
  for (let y = 0, at = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, at += BANDS) {
      for (let b = 0; b < BANDS; b++) {
        const west = levels[at + b - BANDS];
        const north = levels[at + b - BANDS * columns];
        if (x && y) means[b] = (west + north) >> 1;
        else means[b] = x ? west : y ? north : 0;
        const like = b === 4 ? 3 : 0;
        const predicted = b
          ? Math.min(Math.max(means[b] + levels[at + like] - means[like], 0), 15)
          : means[0];
        levels[at + b] = (predicted + stream.code(b)) & 15;
      }
    }
  }
  return stream.endedCleanly() ? levels : null;
}

/**
 * Noise that repeats after `period` pixels along both axes: five bands of a plane each.
 * @typedef {{period: number, bands: Int8Array[]}} NoiseTable
 */

/** @type {NoiseTable[] | null} */
let noiseTables = null;

/** Makes both tables at the first use; it takes some milliseconds. */
function makeNoise() {
  let state = 2463534242;
  return [128, 125].map((period) => {
    const white = Int32Array.from({ length: period * period }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state & 255) + ((state >> 8) & 255) + ((state >> 16) & 255) + (state >>> 24) - 510;
    });
    /** @type {(plane: Int32Array, alongX: boolean, apart: number) => Int32Array} */
    const low = (plane, alongX, apart) =>
      plane.map((_, i) => {
        const x = i % period;
        const y = (i - x) / period;
        /** @type {(by: number) => number} */
        const at = (by) =>
          alongX
            ? plane[y * period + ((x + by * apart + period) % period)]
            : plane[((y + by * apart + period) % period) * period + x];
        return at(-2) + 4 * at(-1) + 6 * at(0) + 4 * at(1) + at(2);
      });
    const x1 = low(white, true, 1);
    const y1 = low(white, false, 1);
    const both1 = low(x1, false, 1);
    const x2 = low(both1, true, 2);
    const y2 = low(both1, false, 2);
    const both2 = low(x2, false, 2);
    /** @type {((i: number) => number)[]} */
    const products = [
      (i) => (16 * x1[i] - both1[i]) * 26512,
      (i) => (16 * y1[i] - both1[i]) * 26512,
      (i) => (256 * white[i] - 16 * x1[i] - 16 * y1[i] + both1[i]) * 19100,
      (i) => (16 * x2[i] - both2[i]) * 388,
      (i) => (16 * y2[i] - both2[i]) * 388,
    ];
    const bands = products.map((product) =>
      Int8Array.from(white, (_, i) => {
        const value = Math.floor((product(i) + 2 ** 23) / 2 ** 24);
        return Math.min(Math.max(value, -127), 127);
      }),
    );
    return { period, bands };
  });
}

/**
 * Measures how much neighbors differ in the calmest quarter of a block, of those of its pixels that
 * the part has.
 * @param {Uint8ClampedArray} pixels RGBA of the part
 * @param {Part} part
 * @param {number} x first column of the block
 * @param {number} y first row
 * @returns {number} 16 to 592
 */
function activity(pixels, part, x, y) {
  const stride = 4 * part.width;
  /** @type {(at: number) => number} */
  const luma = (at) => (pixels[at] + 2 * pixels[at + 1] + pixels[at + 2]) >> 2;
  /** @type {(a: number, b: number) => number} */
  const step = (a, b) => Math.min(Math.abs(a - b), 24);
  let least = 24 * 24;
  let measured = 0;
  for (let quarter = 0; quarter < 4; quarter++) {
    const startX = x + 4 * (quarter & 1) - part.left;
    const startY = y + 4 * (quarter >> 1) - part.top;
    const left = Math.max(startX, 0);
    const right = Math.min(startX + 4, part.width);
    const top = Math.max(startY, 0);
    const bottom = Math.min(startY + 4, part.height);
    let sum = 0;
    let pairs = 0;
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const at = row * stride + 4 * column;
        const here = luma(at);
        if (column > left) sum += step(here, luma(at - 4));
        if (row > top) sum += step(here, luma(at - stride));
        pairs += Number(column > left) + Number(row > top);
      }
    }
    if (pairs) least = Math.min(least, Math.floor((24 * sum) / pairs));
    measured += pairs;
  }
  return measured ? least + 16 : 16;
}

/**
 * Adds grain to a part of a picture, which is drawn at the nominal size or larger.
 * @param {Grain} grain
 * @param {Uint8ClampedArray} pixels RGBA of the part, not multiplied by alpha
 * @param {Part} part
 * @param {number} height of the whole picture as it is drawn
 * @param {number} width
 * @param {import('./gimg.js').Header} header
 */
export function addGrain(grain, pixels, part, height, width, header) {
  noiseTables ??= makeNoise();
  const [first, second] = noiseTables;
  const { seed, cell, columns, rows, factors } = grain;
  const right = part.left + part.width;
  const bottom = part.top + part.height;
  const [a0, a1, a2, a3, a4] = first.bands;
  const [b0, b1, b2, b3, b4] = second.bands;
  const strengths = new Int32Array(BANDS);
  for (let y = part.top - (part.top % 8); y < bottom; y += 8) {
    const down = betweenCells(y, header.height, height, cell, rows);
    for (let x = part.left - (part.left % 8); x < right; x += 8) {
      const across = betweenCells(x, header.width, width, cell, columns);
      if (!blockStrengths(grain, down, across, strengths)) continue;
      const root = Math.floor(Math.sqrt(64 * activity(pixels, part, x, y)));
      for (let b = 0; b < BANDS; b++) strengths[b] = (strengths[b] * root) >> 6;
      const [s0, s1, s2, s3, s4] = strengths;
      for (let row = Math.max(y, part.top); row < Math.min(y + 8, bottom); row++) {
        const row1 = (row % first.period) * first.period;
        const row2 = (row % second.period) * second.period;
        for (let column = Math.max(x, part.left); column < Math.min(x + 8, right); column++) {
          const at1 = row1 + (column % first.period);
          const at2 = row2 + ((column + seed) % second.period);
          const sum =
            s0 * (a0[at1] + b0[at2]) +
            s1 * (a1[at1] + b1[at2]) +
            s2 * (a2[at1] + b2[at2]) +
            s3 * (a3[at1] + b3[at2]) +
            s4 * (a4[at1] + b4[at2]);
          const at = 4 * ((row - part.top) * part.width + column - part.left);
          if (!pixels[at + 3]) continue;
          const luma = (pixels[at] + 2 * pixels[at + 1] + pixels[at + 2]) >> 2;
          const value = ((((sum >> 4) * factors[luma]) >> 6) + 128) >> 8;
          pixels[at] += value;
          pixels[at + 1] += value;
          pixels[at + 2] += value;
        }
      }
    }
  }
}

/**
 * Returns between which cells the center of a block lies, and how far behind the first one's center.
 * @param {number} start of the block in the drawn picture
 * @param {number} size of the picture
 * @param {number} drawn size
 * @param {number} cell
 * @param {number} cells
 */
function betweenCells(start, size, drawn, cell, cells) {
  const position = Math.floor(((start + 4) * 2 * size) / drawn) - 2 ** cell;
  const index = position >> (cell + 1);
  return {
    low: Math.min(Math.max(index, 0), cells - 1),
    high: Math.min(Math.max(index + 1, 0), cells - 1),
    part: position & (2 ** (cell + 1) - 1),
  };
}

/**
 * Sets the strengths of a block's bands, in units of 1/16.
 * @param {Grain} grain
 * @param {ReturnType<typeof betweenCells>} down
 * @param {ReturnType<typeof betweenCells>} across
 * @param {Int32Array} strengths
 * @returns {boolean} whether one is not 0
 */
function blockStrengths({ cell, columns, levels }, down, across, strengths) {
  const whole = 2 ** (cell + 1);
  let some = 0;
  for (let b = 0; b < BANDS; b++) {
    /** @type {(row: number) => number} */
    const between = (row) => {
      const low = STRENGTHS[levels[(row * columns + across.low) * BANDS + b]];
      const high = STRENGTHS[levels[(row * columns + across.high) * BANDS + b]];
      return low * (whole - across.part) + high * across.part;
    };
    const sum = between(down.low) * (whole - down.part) + between(down.high) * down.part;
    strengths[b] = sum >> (2 * cell - 2);
    some |= strengths[b];
  }
  return some !== 0;
}
