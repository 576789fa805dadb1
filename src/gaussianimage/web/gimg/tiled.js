/**
 * Tiled files (docs/format.md, 8): of a picture of any size only the tiles are read that a view needs,
 * by requests for ranges where the server allows them.
 */
import { loadPicture } from './client.js';
import { Decoder, GimgError, LIMITS, Picture, fail, readChunk, readerOf, u32 } from './gimg.js';

/** @typedef {import('./view.js').View} View */
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
 * @property {Picture | null} picture null until it has come, or if it is damaged
 * @property {boolean} failed
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
  const decoder = new Decoder({ limits: { maxPixels: Infinity, maxSide: Infinity, maxBytes } });
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
  // A map of alpha is not decoded: the picture may be of any size.
  const hasMap = head[2] > 7;
  if (!hasMap) decoder.push(bytes.subarray(0, headEnd));
  const { picture } = decoder;
  if (!picture || picture.header.gaussians || picture.header.work) {
    return fail('the header is not that of a tiled file', 8);
  }
  const { header } = picture;
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
  picture.tiles = new Tiles(picture.header, index, ranges, maxBytes);
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

// The tiles -------------------------------------------------------------------------------------

/**
 * The tiles of a picture, which come when a view needs them. The event `change` tells that some came,
 * `fetched` that those of a request did, and `error`, with a message, that one is damaged.
 */
export class Tiles extends EventTarget {
  #header;
  #index;
  #ranges;
  #most;
  /** @type {Map<number, Tile>} in the order of their last use */
  #tiles = new Map();
  /** Number of Gaussians of those tiles. */
  #kept = 0;
  /** @type {number[]} that are to be fetched */
  #wanted = [];
  #running = 0;
  /** @type {Set<number>} that are on their way */
  #coming = new Set();
  /** @type {{key: string, picture: Picture} | null} */
  #composed = null;

  /**
   * @param {Header} header
   * @param {TileIndex} index
   * @param {Ranges} ranges
   * @param {number} most bytes of a tile
   */
  constructor(header, index, ranges, most) {
    super();
    this.#header = header;
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
    const { level, here, missing } = this.#request(view);
    const key = `${level}:${here}`;
    if (this.#composed?.key !== key) this.#composed = { key, picture: this.#join(level, here) };
    const { scale } = this.#index.grids[level];
    const part = {
      ...view,
      left: view.left / scale,
      top: view.top / scale,
      scaleX: view.scaleX * scale,
      scaleY: view.scaleY * scale,
    };
    return { picture: this.#composed.picture, view: part, missing };
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
   * @returns {{level: number, here: number[], missing: number}} the numbers of the undamaged tiles that
   *   are here, and how many are missing
   */
  #request(view) {
    const level = this.levelOf(view);
    const needed = this.#needed(view, level);
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
    this.#forget(needed.length);
    this.#fetchWanted();
    return { level, here, missing };
  }

  /**
   * Returns the numbers of the tiles that a view needs, coarse ones first.
   * @param {View} view
   * @param {number} level
   */
  #needed(view, level) {
    const { grids, side, places, reaches } = this.#index;
    const right = view.left + view.width / view.scaleX;
    const bottom = view.top + view.height / view.scaleY;
    const found = [];
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
      if ((row1 - row0 + 1) * (column1 - column0 + 1) > MOST_TILES_IN_VIEW) {
        fail('too many tiles reach into the view', 0, 'limit');
      }
      for (let row = row0; row <= row1; row++) {
        for (let column = column0; column <= column1; column++) {
          const number = grid.first + row * grid.columns + column;
          if (places[number + 1] === places[number]) continue;
          const reach = reaches[number] + blur;
          const [top, low] = span(view.top, bottom, reach, grid.rows);
          const [left, high] = span(view.left, right, reach, grid.columns);
          if (row >= top && row <= low && column >= left && column <= high) found.push(number);
        }
      }
    }
    return found;
  }

  /**
   * Gives up the tiles that were not used for longest, but not those in use.
   * @param {number} used
   */
  #forget(used) {
    for (const [number, { picture }] of this.#tiles) {
      if (this.#kept <= MOST_KEPT || this.#tiles.size <= used) return;
      this.#kept -= picture?.count ?? 0;
      this.#tiles.delete(number);
    }
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
      const tile = { picture: null, failed: true };
      try {
        if (bytes instanceof GimgError) throw bytes;
        const part = bytes.subarray(places[number] - start, places[number + 1] - start);
        tile.picture = await this.#decode(number, part);
        tile.failed = false;
      } catch (error) {
        const known = error instanceof GimgError ? error : new GimgError('format', String(error));
        this.dispatchEvent(new CustomEvent('error', { detail: known }));
        if (known.kind === 'network') setTimeout(() => this.#tiles.delete(number), RETRY);
      }
      this.#coming.delete(number);
      this.#kept += tile.picture?.count ?? 0;
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
   * @returns {Promise<Picture>}
   * @throws {GimgError} the tile is damaged
   */
  async #decode(number, bytes) {
    const { grids, side, margin, places, reaches } = this.#index;
    const offset = places[number];
    const level = grids.findLastIndex((grid) => grid.first <= number);
    const grid = grids[level];
    const row = Math.floor((number - grid.first) / grid.columns);
    const column = (number - grid.first) % grid.columns;
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
    const picture = await loadPicture(file.slice());
    const left = Math.max(0, column * side - margin);
    const top = Math.max(0, row * side - margin);
    const right = Math.min(grid.width, (column + 1) * side + margin);
    const bottom = Math.min(grid.height, (row + 1) * side + margin);
    const { header, means, cholesky, count } = picture;
    const { channels, qMax } = this.#header;
    if (
      header.width !== right - left ||
      header.height !== bottom - top ||
      header.channels !== channels ||
      header.qMax !== qMax ||
      picture.alpha
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
    return picture;
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
}
