/**
 * Tiled files (docs/format.md, 8): of a picture of any size only the tiles are read that a view needs,
 * by requests for ranges where the server allows them.
 */
import { loadPicture } from './client.js';
import { Decoder, GimgError, LIMITS, Picture, fail, readChunk, readerOf, u32 } from './gimg.js';
import { footprints, mapSize, placeOnMap } from './view.js';

/** @typedef {import('./view.js').View} View */
/** @typedef {import('./gimg.js').AlphaPlace} AlphaPlace */
/** @typedef {import('./gimg.js').Header} Header */

/**
 * @typedef {object} TileIndex
 * @property {number} levels number of levels, 0 the coarsest
 * @property {number} shift binary logarithm of the factor between levels
 * @property {number} side of a tile in pixels of its level
 * @property {number} margin of a tile's frame
 * @property {number} gaussians number of Gaussians in all tiles
 * @property {Float64Array} places where the chunk of each tile begins in the file, and where the last ends
 * @property {Uint16Array} reaches how far the Gaussians of each tile reach beyond it
 * @property {Grid[]} grids the tiles of each level
 */

/**
 * @typedef {object} Grid
 * @property {number} scale pixels of the picture for a pixel of the level
 * @property {number} height of the level in its pixels
 * @property {number} width
 * @property {number} columns number of tiles in a row
 * @property {number} rows
 * @property {number} first number of the first tile in the index
 * @property {number} reach the largest of its tiles
 */

/**
 * @typedef {object} Tile
 * @property {Picture | null} picture null if it is damaged
 * @property {Classes} classes of its pixels
 * @property {{scale: number, classes: Uint8Array} | null} reduced the classes at a coarser scale
 */

/**
 * @typedef {number | Uint8Array} Classes
 * The classes of alpha of a rectangle of pixels, as in `Picture`: one number for all of them, or one
 * for each.
 */

/**
 * @typedef {object} MapPart
 * The part of a level's map of alpha that a view needs: a rectangle of whole tiles.
 * @property {AlphaPlace} place
 * @property {number[]} numbers of the tiles, row by row
 */

const FIRST_READ = 2 ** 16;
const INDEX_START = 22;
const ENTRY = 6;
const MOST_TILES = 2 ** 22;
/** More tiles in one view are of a hostile file: those of a screen are some hundred. */
const MOST_TILES_IN_VIEW = 2 ** 13;
/** Gaussians of tiles that are kept: about 130 MB. */
const MOST_KEPT = 2 ** 21;
/** A view of more Gaussians is of a hostile file too. */
const MOST_IN_VIEW = 2 ** 22;
/** As many bytes of maps of alpha are kept. */
const MOST_KEPT_CLASSES = 2 ** 27;
const MOST_CLASSES_IN_VIEW = 2 ** 28;
/** A map of more pixels is reduced, as far as its pixels are smaller than the drawn ones. */
const LARGE_MAP = 2 ** 24;
/** The same for its sides: all GPUs of today take textures of this size. */
const LONG_MAP = 4096;
/** A larger map, which only strange files and views need, has a pixel for each tile. */
const LARGEST_MAP = 2 ** 26;
/** The class of pixels of which nothing is known, or that have several. */
const AS_DRAWN = 3;
/** After so many milliseconds a tile that could not be reached is asked for again. */
const RETRY = 5000;
/** Tiles closer to each other in the file are fetched together, up to so many bytes. */
const GAP = 2 ** 14;
const MOST_IN_REQUEST = 2 ** 22;
const REQUESTS = 4;

// The bytes -------------------------------------------------------------------------------------

/** Reads ranges of an address, a file or bytes. */
class Ranges {
  #source;
  #signal;
  #most;
  /** @type {Promise<Uint8Array> | null} all bytes, from a server without ranges */
  #whole = null;
  /** Number of bytes of the file; null as long as it is not known. */
  size = /** @type {number | null} */ (null);
  /**
   * The start of the file, as far as it was read.
   * @type {Uint8Array}
   */
  #head = new Uint8Array(0);

  /**
   * @param {string | Blob | Uint8Array} source
   * @param {AbortSignal | undefined} signal
   * @param {number} most bytes of a file that is read whole
   */
  constructor(source, signal, most) {
    this.#source = source;
    this.#signal = signal;
    this.#most = most;
    if (source instanceof Uint8Array) this.size = source.length;
    else if (typeof source !== 'string') this.size = source.size;
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {Promise<Uint8Array>} fewer bytes where the file ends before
   */
  async read(start, end) {
    const source = this.#source;
    if (source instanceof Uint8Array) return source.subarray(start, end);
    if (typeof source !== 'string') return new Uint8Array(await source.slice(start, end).arrayBuffer());
    if (this.#whole) return (await this.#whole).subarray(start, end);
    if (end <= this.#head.length) return this.#head.subarray(start, end);
    const bytes = await this.#request(source, start, end);
    if (start === 0) this.#head = bytes;
    return bytes;
  }

  /**
   * @param {string} source
   * @param {number} start
   * @param {number} end
   */
  async #request(source, start, end) {
    const signal = this.#signal;
    const answer = await fetch(source, { signal, headers: { Range: `bytes=${start}-${end - 1}` } }).catch(
      (error) => {
        if (signal?.aborted) throw error;
        return fail('the file can\'t be reached', 0, 'network');
      },
    );
    if (answer.status === 416) return new Uint8Array(0);
    if (!answer.ok || !answer.body) {
      fail(`the server answers ${answer.status} ${answer.statusText}`.trim(), 0, 'network');
    }
    if (answer.status === 206) {
      // A page of another origin may not see this header.
      const told = /^bytes (\d+)-\d+\/(\d*)/.exec(answer.headers.get('Content-Range') ?? '');
      if (told && Number(told[1]) !== start) fail('the server sends another range', start, 'network');
      if (told?.[2]) this.size = Number(told[2]);
      return readBody(answer, end - start);
    }
    this.#whole = readBody(answer, this.#most);
    this.#whole.catch((error) => {
      // Another try would only find the file too large again.
      if (error.kind !== 'limit') this.#whole = null;
    });
    const whole = await this.#whole;
    this.size = whole.length;
    return whole.subarray(start, end);
  }
}

/**
 * @param {Response} answer
 * @param {number} most bytes that are accepted
 */
async function readBody(answer, most) {
  const announced = Number(answer.headers.get('Content-Length'));
  if (announced > most) {
    answer.body?.cancel().catch(() => {});
    fail(`the server sends ${announced} bytes, more than ${most}`, most, 'limit');
  }
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const pieces = [];
  let length = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(() => fail('the transfer broke off', length, 'truncated'));
      if (done) break;
      length += value.length;
      if (length > most) fail(`the server sends more than ${most} bytes`, most, 'limit');
      pieces.push(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

// The index -------------------------------------------------------------------------------------

/**
 * Opens a tiled file: reads all that is before its tiles.
 * @param {string | Blob | Uint8Array} source an address, a file or the bytes
 * @param {{signal?: AbortSignal, limits?: Partial<import('./gimg.js').Limits>}} [options]
 * @returns {Promise<Picture>} whose `tiles` are drawn, and which has no Gaussians itself; its `damage`
 *   tells of a wrong end
 * @throws {GimgError} the file can't be reached, or is damaged before its tiles
 */
export async function openTiled(source, options = {}) {
  const { maxBytes } = { ...LIMITS, ...options.limits };
  const ranges = new Ranges(source, options.signal, maxBytes);
  const limits = { maxPixels: Infinity, maxSide: Infinity, maxBytes };
  const decoder = new Decoder({ limits, tiled: true });
  let bytes = await ranges.read(0, FIRST_READ);
  /** @type {(start: number, type: string) => Promise<Uint8Array>} */
  const chunkAt = async (start, type) => {
    for (let asked = FIRST_READ; ; asked *= 8) {
      if (bytes.length < asked && asked > FIRST_READ) bytes = await ranges.read(0, asked);
      const chunk = readChunk(bytes.subarray(start), start, maxBytes);
      if (chunk) {
        if (chunk.type !== type) fail(`a chunk ${chunk.type} where ${type} must be`, start);
        return bytes.subarray(start + chunk.from, start + chunk.to);
      }
      if (bytes.length < asked) fail(`the file is cut off after ${bytes.length} bytes`, bytes.length, 'truncated');
    }
  };
  const endOf = (/** @type {Uint8Array} */ payload) => payload.byteOffset - bytes.byteOffset + payload.length + 4;
  const head = await chunkAt(8, 'HEAD');
  const headEnd = endOf(head);
  decoder.push(bytes.subarray(0, headEnd));
  const picture = /** @type {Picture} */ (decoder.picture);
  const { header, alpha } = picture;
  if (header.gaussians || header.work || (alpha && (alpha.length > 1 || alpha[0] > 2))) {
    fail('the header is not that of a tiled file', 8);
  }
  picture.alpha = null; // that of each level is in its tiles
  const payload = await chunkAt(headEnd, 'TIDX');
  const { index, first } = parseIndex(payload, header, headEnd);
  const indexEnd = endOf(payload);
  if (first < indexEnd) fail('the tiles begin before the index ends', headEnd);
  if (first > maxBytes) fail(`${first} bytes before the tiles are above the limit`, headEnd, 'limit');
  const between = first > indexEnd ? await ranges.read(indexEnd, first) : new Uint8Array(0);
  try {
    decoder.push(between);
  } catch (error) {
    // A newer decoder would not read this either.
    if (error instanceof GimgError && error.message.includes('TIDX')) fail('two indexes of tiles', indexEnd);
    throw error;
  }
  if (picture.complete || picture.bytes !== headEnd + between.length || between.length < first - indexEnd) {
    fail('the chunks before the tiles do not end where these begin', indexEnd);
  }
  picture.chunks.delete('gRAN'); // tiled files have no grain
  picture.header = { ...header, gaussians: index.gaussians, layers: 1 };
  picture.count = index.gaussians;
  picture.bytes = index.places[index.places.length - 1] + 9;
  picture.layers = [{ gaussians: picture.count, bytes: picture.bytes }];
  picture.complete = true;
  picture.tiles = new Tiles(picture.header, alpha?.[0] ?? null, index, ranges, maxBytes);
  picture.damage = await findWrongEnd(ranges, picture.bytes, typeof source !== 'string');
  return picture;
}

/**
 * Returns the error of a file that does not end where its index says, as far as that is known.
 * @param {Ranges} ranges
 * @param {number} end where the index says that the file ends
 * @param {boolean} near whether the bytes at the end are at hand
 */
async function findWrongEnd(ranges, end, near) {
  const { size } = ranges;
  if (size === null) return null;
  if (size < end) return new GimgError('truncated', `the file is cut off after ${size} bytes`, size);
  if (size > end) return new GimgError('format', 'bytes follow the end of the file', end);
  if (!near) return null;
  const chunk = readChunk(await ranges.read(end - 9, end), end - 9, Infinity);
  return chunk?.type === 'GEND' ? null : new GimgError('format', 'the file has no end', end - 9);
}

/**
 * @param {Uint8Array} payload
 * @param {Header} header
 * @param {number} offset
 * @returns {{index: TileIndex, first: number}}
 */
function parseIndex(payload, header, offset) {
  if (payload.length < INDEX_START) fail('the index of tiles is too short', offset);
  const [levels, shift] = payload;
  const side = payload[2] | (payload[3] << 8);
  const margin = payload[4] | (payload[5] << 8);
  /** @type {(at: number) => number} */
  const u64 = (at) => u32(payload, at) + u32(payload, at + 4) * 2 ** 32;
  const gaussians = u64(6);
  const first = u64(14);
  const valid =
    levels >= 1 && levels <= 16 && shift >= 1 && shift <= 4 && side >= 32 && side <= 32768 && margin <= side;
  if (!valid || gaussians > 2 ** 50 || first > 2 ** 53) fail('impossible numbers in the index of tiles', offset);
  const grids = [];
  let count = 0;
  for (let level = 0; level < levels; level++) {
    const scale = 2 ** (shift * (levels - 1 - level));
    const height = Math.ceil(header.height / scale);
    const width = Math.ceil(header.width / scale);
    const rows = Math.ceil(height / side);
    const columns = Math.ceil(width / side);
    grids.push({ scale, height, width, columns, rows, first: count, reach: 0 });
    count += rows * columns;
  }
  if (count > MOST_TILES || payload.length !== INDEX_START + ENTRY * count) {
    fail('the index of tiles has a wrong length', offset);
  }
  const places = new Float64Array(count + 1);
  const reaches = new Uint16Array(count);
  places[0] = first;
  for (const grid of grids) {
    for (let i = grid.first; i < grid.first + grid.rows * grid.columns; i++) {
      const at = INDEX_START + ENTRY * i;
      places[i + 1] = places[i] + u32(payload, at);
      reaches[i] = payload[at + 4] | (payload[at + 5] << 8);
      grid.reach = Math.max(grid.reach, reaches[i]);
    }
  }
  return { index: { levels, shift, side, margin, gaussians, places, reaches, grids }, first };
}

// The map of alpha ------------------------------------------------------------------------------

/**
 * Returns the classes of a rectangle of a map.
 * @param {Uint8Array} map
 * @param {number} stride columns of the map
 * @param {number} left
 * @param {number} top
 * @param {{width: number, height: number}} size
 * @returns {Classes}
 */
function cutClasses(map, stride, left, top, { width, height }) {
  const classes = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * stride + left;
    classes.set(map.subarray(from, from + width), y * width);
  }
  const [first] = classes;
  return classes.every((found) => found === first) ? first : classes;
}

/**
 * Returns a class for each square of `scale` pixels, that of all its pixels.
 * @param {Uint8Array} classes
 * @param {number} width
 * @param {number} scale
 */
function reduceClasses(classes, width, scale) {
  const columns = Math.ceil(width / scale);
  const reduced = new Uint8Array(columns * Math.ceil(classes.length / width / scale));
  for (let i = 0, y = 0; i < classes.length; y++) {
    const row = columns * Math.floor(y / scale);
    for (let x = 0; x < width; x++, i++) {
      const at = row + Math.floor(x / scale);
      const first = y % scale === 0 && x % scale === 0;
      if (first) reduced[at] = classes[i];
      else if (reduced[at] !== classes[i]) reduced[at] = AS_DRAWN;
    }
  }
  return reduced;
}

// The tiles -------------------------------------------------------------------------------------

/**
 * @param {number} tiles in a view
 * @throws {GimgError} they are too many
 */
function checkNumber(tiles) {
  if (tiles > MOST_TILES_IN_VIEW) fail('too many tiles reach into the view', 0, 'limit');
}

/**
 * The tiles of a picture, which come when a view needs them. The event `change` tells that some came,
 * `fetched` that those of a request did, and `error`, with a message, that one is damaged.
 */
export class Tiles extends EventTarget {
  #header;
  #around;
  #index;
  #ranges;
  #most;
  /** @type {Map<number, Tile>} in the order of their last use */
  #tiles = new Map();
  /** Number of Gaussians of those tiles. */
  #kept = 0;
  /** Number of bytes of their maps of alpha. */
  #keptClasses = 0;
  /** @type {number[]} that are to be fetched */
  #wanted = [];
  #running = 0;
  /** @type {Set<number>} that are on their way */
  #coming = new Set();
  /** @type {{key: string, picture: Picture} | null} */
  #composed = null;

  /**
   * @param {Header} header
   * @param {number | null} around the class of all pixels in tiles without a map of alpha; null if the
   *   file has no maps
   * @param {TileIndex} index
   * @param {Ranges} ranges
   * @param {number} most bytes of a tile
   */
  constructor(header, around, index, ranges, most) {
    super();
    this.#header = header;
    this.#around = around;
    this.#index = index;
    this.#ranges = ranges;
    this.#most = most;
  }

  get levels() {
    return this.#index.levels;
  }

  /** Number of tiles in the file. */
  get count() {
    return this.#index.reaches.length;
  }

  /** Number of tiles that are here. */
  get loaded() {
    return this.#tiles.size;
  }

  /**
   * Returns the level that a view needs, with those below it.
   * @param {View} view
   */
  levelOf({ scaleX, scaleY }) {
    const { grids } = this.#index;
    for (let level = grids.length - 1; level > 0; level--) {
      if (Math.max(scaleX, scaleY) * grids[level - 1].scale > 17 / 16) return level;
    }
    return 0;
  }

  /**
   * Returns the picture of the tiles that are here, as far as a view needs them, and the same view of
   * it. Tiles that are missing are on their way then.
   * @param {View} view
   * @returns {{picture: Picture, view: View, missing: number}}
   * @throws {GimgError} the view needs too many tiles
   */
  compose(view) {
    const { level, map, here, missing } = this.#request(view);
    const key = `${level}:${here}:${map && Object.values(map.place)}`;
    if (this.#composed?.key !== key) {
      const picture = this.#join(level, here);
      if (map) this.#addMap(picture, map);
      this.#composed = { key, picture };
    }
    return { picture: this.#composed.picture, view: this.#viewOfLevel(view, level), missing };
  }

  /**
   * Returns a view of the picture as one of a level.
   * @param {View} view
   * @param {number} level
   * @returns {View}
   */
  #viewOfLevel(view, level) {
    const { scale } = this.#index.grids[level];
    return {
      ...view,
      left: view.left / scale,
      top: view.top / scale,
      scaleX: view.scaleX * scale,
      scaleY: view.scaleY * scale,
    };
  }

  /**
   * Waits until all tiles that a view needs are here, or are known to be damaged.
   * @param {View} view
   */
  async load(view) {
    while (this.#request(view).missing) {
      await new Promise((resolve) => this.addEventListener('fetched', resolve, { once: true }));
    }
  }

  /**
   * Asks for the tiles that a view needs and that are not here yet.
   * @param {View} view
   * @returns {{level: number, map: MapPart | null, here: number[], missing: number}} the numbers of the
   *   undamaged tiles that are here, and how many are missing
   */
  #request(view) {
    const level = this.levelOf(view);
    const map = this.#mapPart(view, level);
    const needed = this.#needed(view, level, map?.numbers ?? []);
    const here = [];
    this.#wanted = [];
    let missing = 0;
    for (const number of needed) {
      const tile = this.#tiles.get(number);
      if (!tile) {
        missing++;
        if (!this.#coming.has(number)) this.#wanted.push(number);
        continue;
      }
      this.#tiles.delete(number);
      this.#tiles.set(number, tile);
      if (tile.picture) here.push(number);
    }
    this.#forget(needed.size);
    this.#fetchWanted();
    return { level, map, here, missing };
  }

  /**
   * Returns the part of the map of alpha under a view, or null if there is none.
   * @param {View} view
   * @param {number} level
   * @returns {MapPart | null}
   */
  #mapPart(view, level) {
    if (this.#around === null) return null;
    const { grids, side } = this.#index;
    const grid = grids[level];
    const ofLevel = this.#viewOfLevel(view, level);
    // By 4.9 the map of a level is as wide as the picture, though its last column may stand for less
    // than `scale` pixels of the picture.
    const whole = {
      left: 0,
      top: 0,
      width: grid.width,
      height: grid.height,
      scale: side,
      stretchX: (grid.width * grid.scale) / this.#header.width,
      stretchY: (grid.height * grid.scale) / this.#header.height,
    };
    const { columns, rows } = footprints(whole, ofLevel);
    const [column, row] = [columns[0], rows[0]];
    const across = columns[columns.length - 1] - column;
    const down = rows[rows.length - 1] - row;
    if (!across || !down) return null;
    checkNumber(across * down);
    const numbers = [];
    for (let i = row; i < row + down; i++) {
      for (let j = column; j < column + across; j++) numbers.push(grid.first + i * grid.columns + j);
    }
    const left = column * side;
    const top = row * side;
    const width = Math.min(across * side, grid.width - left);
    const height = Math.min(down * side, grid.height - top);
    const { scaleX, scaleY } = placeOnMap(whole, ofLevel);
    const drawn = 1 / Math.max(scaleX, scaleY);
    let scale = 1;
    while (
      2 * scale <= drawn &&
      side % (2 * scale) === 0 &&
      (Math.max(width, height) > scale * LONG_MAP || width * height > scale * scale * LARGE_MAP)
    ) {
      scale *= 2;
    }
    if (width * height > scale * scale * LARGEST_MAP) scale = side;
    return { place: { ...whole, left, top, width, height, scale }, numbers };
  }

  /**
   * Returns the numbers of the tiles that a view needs, coarse ones first.
   * @param {View} view
   * @param {number} level
   * @param {number[]} underMap those whose classes it needs
   */
  #needed(view, level, underMap) {
    const { grids, side, reaches } = this.#index;
    const right = view.left + view.width / view.scaleX;
    const bottom = view.top + view.height / view.scaleY;
    /** @type {Set<number>} */
    const found = new Set();
    for (const grid of grids.slice(0, level + 1)) {
      // A smaller picture is blurred, by less than two of its pixels.
      const blur = 2 / Math.min(view.scaleX, view.scaleY) / grid.scale;
      /** @type {(from: number, to: number, reach: number, most: number) => number[]} */
      const span = (from, to, reach, most) => [
        Math.max(0, Math.floor((from / grid.scale - reach) / side)),
        Math.min(most - 1, Math.floor((to / grid.scale + reach) / side)),
      ];
      const [row0, row1] = span(view.top, bottom, grid.reach + blur, grid.rows);
      const [column0, column1] = span(view.left, right, grid.reach + blur, grid.columns);
      checkNumber((row1 - row0 + 1) * (column1 - column0 + 1));
      for (let row = row0; row <= row1; row++) {
        for (let column = column0; column <= column1; column++) {
          const number = grid.first + row * grid.columns + column;
          if (this.#isEmpty(number)) continue;
          const reach = reaches[number] + blur;
          const [top, low] = span(view.top, bottom, reach, grid.rows);
          const [left, high] = span(view.left, right, reach, grid.columns);
          if (row >= top && row <= low && column >= left && column <= high) found.add(number);
        }
      }
    }
    for (const number of underMap) if (!this.#isEmpty(number)) found.add(number);
    return found;
  }

  /**
   * Returns whether a tile has no chunk in the file.
   * @param {number} number
   */
  #isEmpty(number) {
    const { places } = this.#index;
    return places[number + 1] === places[number];
  }

  /**
   * Gives up the tiles that were not used for longest, but not those in use.
   * @param {number} used
   */
  #forget(used) {
    for (const [number, tile] of this.#tiles) {
      const few = this.#kept <= MOST_KEPT && this.#keptClasses <= MOST_KEPT_CLASSES;
      if (few || this.#tiles.size <= used) return;
      this.#count(tile, -1);
      this.#tiles.delete(number);
    }
  }

  /**
   * @param {Tile} tile that comes or goes
   * @param {1 | -1} sign
   */
  #count({ picture, classes }, sign) {
    this.#kept += sign * (picture?.count ?? 0);
    if (typeof classes !== 'number') this.#keptClasses += sign * classes.length;
  }

  #fetchWanted() {
    while (this.#running < REQUESTS && this.#wanted.length) {
      const { places } = this.#index;
      const numbers = [/** @type {number} */ (this.#wanted.shift())];
      const start = places[numbers[0]];
      let end = places[numbers[0] + 1];
      while (this.#wanted.length) {
        const [next] = this.#wanted;
        const gap = places[next] - end;
        if (gap < 0 || gap > GAP || places[next + 1] - start > MOST_IN_REQUEST) break;
        numbers.push(next);
        end = places[next + 1];
        this.#wanted.shift();
      }
      this.#running++;
      this.#fetch(numbers, start, end);
    }
  }

  /**
   * @param {number[]} numbers of tiles that are fetched together
   * @param {number} start
   * @param {number} end
   */
  async #fetch(numbers, start, end) {
    for (const number of numbers) this.#coming.add(number);
    /** @type {Uint8Array | GimgError} */
    let bytes;
    try {
      if (end - start > this.#most) fail(`a tile of ${end - start} bytes is above the limit`, start, 'limit');
      bytes = await this.#ranges.read(start, end);
    } catch (error) {
      bytes = error instanceof GimgError ? error : new GimgError('network', 'the transfer was ended');
    }
    const { places } = this.#index;
    for (const number of numbers) {
      /** @type {Tile} */
      let tile = { picture: null, classes: AS_DRAWN, reduced: null };
      try {
        if (bytes instanceof GimgError) throw bytes;
        const part = bytes.subarray(places[number] - start, places[number + 1] - start);
        tile = await this.#decode(number, part);
      } catch (error) {
        const known = error instanceof GimgError ? error : new GimgError('format', String(error));
        this.dispatchEvent(new CustomEvent('error', { detail: known }));
        if (known.kind === 'network') setTimeout(() => this.#tiles.delete(number), RETRY);
      }
      this.#coming.delete(number);
      this.#count(tile, 1);
      this.#tiles.set(number, tile);
      this.dispatchEvent(new Event('change'));
    }
    this.#running--;
    this.#fetchWanted();
    this.dispatchEvent(new Event('fetched'));
  }

  /**
   * Decodes a tile, and moves its Gaussians from the tile's frame to its level.
   * @param {number} number
   * @param {Uint8Array} bytes of its chunk
   * @returns {Promise<Tile>}
   * @throws {GimgError} the tile is damaged
   */
  async #decode(number, bytes) {
    const { grids, side, margin, places, reaches } = this.#index;
    const offset = places[number];
    const { level, row, column, ...size } = this.#placeOf(number);
    const grid = grids[level];
    const where = `tile ${level}/${row}/${column}`;
    /** @type {(message: string) => never} */
    const refuse = (message) => fail(`${where}: ${message}`, offset);
    if (bytes.length < places[number + 1] - offset) {
      fail(`${where}: the file is cut off`, offset + bytes.length, 'truncated');
    }
    const chunk = readChunk(bytes, offset, Infinity);
    if (!chunk || chunk.type !== 'TILE' || chunk.to + 4 !== bytes.length) return refuse('no chunk of a tile');
    const reader = readerOf(bytes.subarray(chunk.from, chunk.to), offset);
    if (reader.byte() !== level || reader.varint() !== row || reader.varint() !== column) {
      refuse('the tile of another place');
    }
    const file = reader.rest;
    for (let at = 8; at < file.length; ) {
      const part = readChunk(file.subarray(at), offset, Infinity);
      if (!part || !/HEAD|LAYR|GEND/.test(part.type)) return refuse('a chunk that a tile must not have');
      at += part.to + 4;
    }
    if (this.#kept > MOST_IN_VIEW) fail('the view needs too many Gaussians', offset, 'limit');
    if (this.#keptClasses > MOST_CLASSES_IN_VIEW) fail('the view needs too large a map', offset, 'limit');
    const picture = await loadPicture(file.slice());
    const left = Math.max(0, column * side - margin);
    const top = Math.max(0, row * side - margin);
    const right = Math.min(grid.width, (column + 1) * side + margin);
    const bottom = Math.min(grid.height, (row + 1) * side + margin);
    const { header, means, cholesky, count, alpha } = picture;
    const { channels, qMax } = this.#header;
    if (
      header.width !== right - left ||
      header.height !== bottom - top ||
      header.channels !== channels ||
      header.qMax !== qMax ||
      (alpha && this.#around === null)
    ) {
      refuse('its header does not fit to the file');
    }
    const k = Math.sqrt(2 * qMax);
    const reach = reaches[number] + 0.001;
    for (let i = 0; i < count; i++) {
      const x = (means[2 * i] += left);
      const y = (means[2 * i + 1] += top);
      const wide = k * cholesky[3 * i];
      const high = k * Math.hypot(cholesky[3 * i + 1], cholesky[3 * i + 2]);
      const far = Math.max(
        column * side - (x - wide),
        x + wide - (column + 1) * side,
        row * side - (y - high),
        y + high - (row + 1) * side,
      );
      if (far > reach) refuse('a Gaussian reaches farther than the index says');
    }
    /** @type {Classes} */
    let classes = this.#around ?? AS_DRAWN;
    if (alpha) {
      classes = cutClasses(alpha, header.width, column * side - left, row * side - top, size);
      picture.alpha = null;
    }
    return { picture, classes, reduced: null };
  }

  /**
   * Returns tiles as one picture of the size of a level.
   * @param {number} level
   * @param {number[]} numbers
   */
  #join(level, numbers) {
    const { grids, shift } = this.#index;
    const { height, width } = grids[level];
    const parts = numbers.map((number) => /** @type {Picture} */ (this.#tiles.get(number)?.picture));
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    const { channels } = this.#header;
    const joined = new Picture({ ...this.#header, height, width, gaussians: count });
    joined.count = count;
    joined.means = new Float64Array(2 * count);
    joined.cholesky = new Float64Array(3 * count);
    joined.colors = new Float32Array(channels * count);
    let at = 0;
    parts.forEach((part, i) => {
      const own = grids.findLastIndex((grid) => grid.first <= numbers[i]);
      const factor = 2 ** (shift * (level - own));
      for (let j = 0; j < 2 * part.count; j++) joined.means[2 * at + j] = part.means[j] * factor;
      for (let j = 0; j < 3 * part.count; j++) joined.cholesky[3 * at + j] = part.cholesky[j] * factor;
      joined.colors.set(part.colors.subarray(0, channels * part.count), channels * at);
      at += part.count;
    });
    return joined;
  }

  /**
   * Gives a picture of tiles a part of the map of alpha.
   * @param {Picture} picture
   * @param {MapPart} part
   */
  #addMap(picture, { place, numbers }) {
    const { side } = this.#index;
    const { scale } = place;
    const found = numbers.map((number) => this.#classesOf(number, scale));
    const [first] = found;
    if (typeof first === 'number' && found.every((classes) => classes === first)) {
      picture.alpha = Uint8Array.of(first);
      picture.alphaPlace = { ...place, scale: Math.max(place.width, place.height) };
      return;
    }
    const { columns, rows } = mapSize(place);
    const map = new Uint8Array(columns * rows);
    numbers.forEach((number, i) => {
      const { row, column, ...size } = this.#placeOf(number);
      const tile = mapSize({ ...place, ...size });
      let at = (columns * (row * side - place.top) + column * side - place.left) / scale;
      const classes = found[i];
      for (let y = 0; y < tile.rows; y++, at += columns) {
        if (typeof classes === 'number') map.fill(classes, at, at + tile.columns);
        else map.set(classes.subarray(y * tile.columns, (y + 1) * tile.columns), at);
      }
    });
    picture.alpha = map;
    picture.alphaPlace = place;
  }

  /**
   * Returns the classes of a tile, each of a square of `scale` pixels.
   * @param {number} number
   * @param {number} scale
   * @returns {Classes}
   */
  #classesOf(number, scale) {
    if (this.#isEmpty(number)) return this.#around ?? AS_DRAWN;
    const tile = this.#tiles.get(number);
    if (!tile) return AS_DRAWN;
    const { classes } = tile;
    if (typeof classes === 'number' || scale === 1) return classes;
    if (tile.reduced?.scale !== scale) {
      tile.reduced = { scale, classes: reduceClasses(classes, this.#placeOf(number).width, scale) };
    }
    return tile.reduced.classes;
  }

  /**
   * Returns the level, row and column of a tile, and how many pixels it has.
   * @param {number} number
   */
  #placeOf(number) {
    const { grids, side } = this.#index;
    const level = grids.findLastIndex((grid) => grid.first <= number);
    const grid = grids[level];
    const row = Math.floor((number - grid.first) / grid.columns);
    const column = (number - grid.first) % grid.columns;
    const width = Math.min(side, grid.width - column * side);
    const height = Math.min(side, grid.height - row * side);
    return { level, row, column, width, height };
  }
}
