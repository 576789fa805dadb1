/**
 * Decodes .gimg files: container, layers and map of alpha, as docs/format.md describes them. The
 * integers and numbers are those of the native decoder, bit for bit. Needs no DOM.
 *
 * `decode(bytes)` decodes a whole file. A `Decoder` takes bytes as they arrive, and its picture grows
 * by a layer at a time. grain.js, profile.js and tiled.js read what few files have.
 */
import { ALPHA_BLOCK_WEIGHTS, ALPHA_PIXEL_WEIGHTS, LAYER_WEIGHTS } from './priors.js';

/** @typedef {'format' | 'truncated' | 'unsupported' | 'limit' | 'network'} ErrorKind */

/**
 * @typedef {object} Header
 * @property {number} height nominal height in pixels
 * @property {number} width nominal width in pixels
 * @property {number} channels 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha
 * @property {boolean} deep whether the source had 16 bits per sample
 * @property {number} gaussians number of Gaussians in all layers
 * @property {number} layers number of layers
 * @property {number} qMax a Gaussian ends where its exponent is above this
 * @property {number} work blocks of 8 pixels that a drawing at the nominal size takes
 * @property {number} colorIndex
 * @property {number} shapeIndex
 * @property {number[]} background one number of 0 to 1 for each channel
 */

/**
 * @typedef {object} Layer
 * @property {number} gaussians number of Gaussians in this layer and those before
 * @property {number} bytes where the layer ends in the file
 */

/**
 * @typedef {object} AlphaPlace
 * The window of the whole picture's map of alpha that `Picture.alpha` is. Its pixels may be squares of
 * several pixels of the whole map; ceil(width / scale) of them are in a row.
 * @property {number} left where the window begins, in pixels of the whole map
 * @property {number} top
 * @property {number} width of the window in pixels of the whole map
 * @property {number} height
 * @property {number} scale side of the squares
 * @property {number} stretchX pixels of the whole map for a pixel of the picture
 * @property {number} stretchY
 */

/**
 * @typedef {object} Levels
 * The integers of the Gaussians of one layer (docs/format.md, 4.2).
 * @property {Uint8Array} classes
 * @property {Int32Array} x
 * @property {Int32Array} y
 * @property {Int32Array} colors C for each Gaussian
 * @property {Int32Array} shapes 3 for each Gaussian
 */

/**
 * @typedef {object} Limits
 * @property {number} maxPixels
 * @property {number} maxSide
 * @property {number} maxGaussians
 * @property {number} maxWork
 * @property {number} maxBytes
 */

/** @type {Limits} */
export const LIMITS = {
  maxPixels: 2 ** 27,
  maxSide: 2 ** 16,
  maxGaussians: 2 ** 20,
  maxWork: 2 ** 28,
  maxBytes: 2 ** 28,
};

export const MIME_TYPE = 'image/x-gaussianimage';

/** An error about a file or its transfer; `kind` says which, `offset` where in the file. */
export class GimgError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message
   * @param {number | null} [offset]
   */
  constructor(kind, message, offset = null) {
    super(message);
    this.name = 'GimgError';
    /** @type {ErrorKind} */
    this.kind = kind;
    this.offset = offset;
  }
}

/**
 * @param {string} message
 * @param {number} offset
 * @param {ErrorKind} [kind]
 * @returns {never}
 */
export function fail(message, offset, kind = 'format') {
  throw new GimgError(kind, message, offset);
}

const { abs, ceil, clz32, floor, imul, log2, max, min, sqrt } = Math;

/** A picture as far as it is decoded. */
export class Picture {
  /** @param {Header} header */
  constructor(header) {
    this.header = header;
    /** @type {Layer[]} */
    this.layers = [];
    /** Number of decoded Gaussians. */
    this.count = 0;
    /** Centers in pixels, x and y of each Gaussian; may be longer than `count` needs. */
    this.means = new Float64Array(0);
    /** l11, l21, l22 of each Gaussian: the lower Cholesky factor of its covariance. */
    this.cholesky = new Float64Array(0);
    /** C numbers of each Gaussian, multiplied by alpha. */
    this.colors = new Float32Array(0);
    /**
     * The class of each pixel's alpha: 0 transparent, 1 opaque, 2 neither, 3 several or not known,
     * which is drawn as if there was no map.
     * @type {Uint8Array | null}
     */
    this.alpha = null;
    const { width, height } = header;
    /**
     * Where `alpha` is: only of pictures that are joined of tiles it is not the whole picture.
     * @type {AlphaPlace}
     */
    this.alphaPlace = { left: 0, top: 0, width, height, scale: 1, stretchX: 1, stretchY: 1 };
    /**
     * Chunks that other modules read, by type: compressed metadata (iCCP, eXIF, xXMP) and gRAN.
     * @type {Map<string, Uint8Array>}
     */
    this.chunks = new Map();
    /** Number of bytes of the whole chunks so far. */
    this.bytes = 0;
    /** Whether the file is whole. */
    this.complete = false;
    /**
     * The error behind the whole layers, if a partial file was decoded.
     * @type {GimgError | null}
     */
    this.damage = null;
    /**
     * The integers of each layer, if they were asked for.
     * @type {Levels[]}
     */
    this.levels = [];
    /**
     * The tiles of a tiled file, which has no other Gaussians.
     * @type {import('./tiled.js').Tiles | null}
     */
    this.tiles = null;
  }

  /** Whether the last channel is alpha. */
  get hasAlpha() {
    return this.header.channels % 2 === 0;
  }
}

/**
 * Makes room for `count` Gaussians: no more than what the file shows to have, or twice that.
 * @param {Picture} picture
 * @param {number} count
 */
function reserve(picture, count) {
  const { header, means } = picture;
  if (count * 2 <= means.length) return;
  const room = min(max(count, means.length), header.gaussians);
  /** @type {<T extends Float32Array | Float64Array>(to: T, from: T) => T} */
  const grown = (to, from) => (to.set(from), to);
  picture.means = grown(new Float64Array(2 * room), means);
  picture.cholesky = grown(new Float64Array(3 * room), picture.cholesky);
  picture.colors = grown(new Float32Array(header.channels * room), picture.colors);
}

// The container ---------------------------------------------------------------------------------

const SIGNATURE = [0x8b, 0x47, 0x49, 0x4d, 0x47, 0x0d, 0x0a, 0x0a];
const MAX_METADATA = 2 ** 24;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

/**
 * @param {Uint8Array} data
 * @param {number} at
 */
export function u32(data, at) {
  return (data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)) >>> 0;
}

/**
 * Reads integers from bytes, and fails where they end.
 * @param {Uint8Array} data
 * @param {number} offset of `data` in the file
 * @param {number} [position] in `data`
 */
export function readerOf(data, offset, position = 0) {
  const byte = () => {
    if (position >= data.length) fail('the data ends early', offset + position, 'truncated');
    return data[position++];
  };
  return {
    byte,
    u16: () => byte() | (byte() << 8),
    varint() {
      let value = 0;
      for (let i = 0; i < 10; i++) {
        const digit = byte();
        value += (digit & 127) * 2 ** (7 * i);
        if (digit < 128) {
          if ((!digit && i) || (i > 8 && digit > 1)) break;
          return value;
        }
      }
      return fail('an invalid integer', offset + position);
    },
    /** How many bytes were read. */
    get at() {
      return position;
    },
    /** The bytes that were not read. */
    get rest() {
      return data.subarray(position);
    },
  };
}

/** @typedef {ReturnType<typeof readerOf>} Reader */

/**
 * Reads a chunk at the start of `data`, unless its end is missing.
 * @param {Uint8Array} data
 * @param {number} offset of `data` in the file
 * @param {number} most length of a file
 * @returns {{type: string, from: number, to: number} | null} where its payload is
 */
export function readChunk(data, offset, most) {
  const type = String.fromCharCode(...data.subarray(0, 4));
  if (!/^([A-Za-z][A-Z0-9]{0,3})?$/.test(type)) fail('the file is damaged: no chunk here', offset);
  let ends = 4;
  while (data[ends] > 127 && ends < 8) ends++;
  if (ends >= data.length) return null;
  const reader = readerOf(data, offset, 4);
  const length = reader.varint();
  const from = reader.at;
  const to = from + length;
  if (length >= 2 ** 31) fail(`a chunk ${type} of ${length} bytes`, offset);
  if (offset + to + 4 > most) fail(`a chunk ${type} of ${length} bytes is above the limit`, offset, 'limit');
  if (to + 4 > data.length) return null;
  let crc = -1;
  for (let i = 0; i < to; i++) crc = CRC_TABLE[(crc ^ data[i]) & 255] ^ (crc >>> 8);
  if (~crc >>> 0 !== u32(data, to)) fail(`the file is damaged: wrong checksum of ${type}`, offset);
  return { type, from, to };
}

/**
 * @typedef {object} Options
 * @property {Partial<Limits>} [limits] what is refused; `LIMITS` by default
 * @property {boolean} [partial] accept a file that is cut or damaged behind its header
 * @property {boolean} [levels] keep the integers of the layers in `picture.levels`
 * @property {boolean} [tiled] keep the bytes of the map of alpha in `picture.alpha`: the picture
 *   around tiles may be larger than any array
 */

/** Decodes a file whose bytes come piece by piece. */
export class Decoder {
  #options;
  #limits;
  // The bytes that were not read yet, and where in the file they are.
  #buffer = new Uint8Array(0);
  #length = 0;
  #offset = 0;
  #ended = false;
  /** @type {LayerDecoder} */
  #decodeLayer = () => 0;

  /** @param {Options} [options] */
  constructor(options = {}) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    /**
     * The picture, once its header has come.
     * @type {Picture | null}
     */
    this.picture = null;
  }

  /**
   * Takes the next bytes, and decodes the chunks that are whole by then.
   * @param {Uint8Array} bytes
   * @throws {GimgError} the bytes are not those of a .gimg file
   */
  push(bytes) {
    const { maxBytes } = this.#limits;
    const length = this.#length + bytes.length;
    if (this.#offset + length > maxBytes) {
      fail(`the file has more than ${maxBytes} bytes`, 0, 'limit');
    }
    let buffer = this.#buffer;
    if (length > buffer.length) {
      buffer = new Uint8Array(max(2 * this.#length, length));
      buffer.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = buffer;
    }
    buffer.set(bytes, this.#length);
    this.#length = length;
    let start = 0;
    try {
      for (let size; start < length; start += size) {
        size = this.#read(buffer.subarray(start, length));
        if (!size) break;
        this.#offset += size;
        const { picture } = this;
        if (picture) {
          picture.bytes = this.#offset;
          picture.complete = this.#ended;
          for (const layer of picture.layers) layer.bytes ||= this.#offset;
        }
      }
    } finally {
      buffer.copyWithin(0, start, length);
      this.#length -= start;
    }
  }

  /**
   * Tells that no more bytes come.
   * @returns {Picture} the whole picture
   * @throws {GimgError} the file is not whole
   */
  finish() {
    const at = this.#offset + this.#length;
    if (!this.#ended) fail(`the file is cut off after ${at} bytes`, at, 'truncated');
    return /** @type {Picture} */ (this.picture);
  }

  /**
   * Reads the signature or a chunk.
   * @param {Uint8Array} data
   * @returns {number} of bytes that were read; 0 if some are missing
   */
  #read(data) {
    const offset = this.#offset;
    if (!offset) {
      const wrong = SIGNATURE.some((byte, i) => i < data.length && data[i] !== byte);
      if (wrong) fail('this is not a .gimg file', 0);
      return data.length < 8 ? 0 : 8;
    }
    if (this.#ended) fail('bytes follow the end of the file', offset);
    const chunk = readChunk(data, offset, this.#limits.maxBytes);
    if (!chunk) return 0;
    const { type, from, to } = chunk;
    this.#readPayload(type, data.subarray(from, to), offset + from);
    return to + 4;
  }

  /**
   * @param {string} type
   * @param {Uint8Array} payload
   * @param {number} offset
   */
  #readPayload(type, payload, offset) {
    const { picture } = this;
    if ((type === 'HEAD') !== !picture || /QUAN|GAUS|TILE/.test(type)) {
      fail(`a chunk ${type} out of place`, offset);
    }
    if (!picture) {
      this.#readHeader(payload, offset);
      return;
    }
    const { header, layers, count, chunks } = picture;
    const { gaussians } = header;
    if (type === 'LAYR') {
      if (layers.length === header.layers) fail(`more than ${header.layers} layers`, offset);
      if (this.#decodeLayer(payload, offset, picture) > header.work) {
        fail('the file takes more work than its header announces', offset);
      }
      if (!this.#options.levels) picture.levels = [];
    } else if (type === 'GEND') {
      if (payload.length) fail('the end of the file is not empty', offset);
      if (layers.length !== header.layers || count !== gaussians) {
        fail(
          `the header announces ${gaussians} Gaussians in ${header.layers} layers, found ` +
            `${count} in ${layers.length}`,
          offset,
        );
      }
      this.#ended = true;
    } else if (/iCCP|eXIF|xXMP|gRAN/.test(type)) {
      if (chunks.has(type)) fail(`two chunks ${type}`, offset);
      if (type !== 'gRAN') checkMetadata(payload, offset);
      chunks.set(type, payload.slice());
    } else if (type < 'a') {
      // client.js tells by this message that tiled.js must read the file.
      const what = type === 'TIDX' ? 'is tiled, which tiled.js reads' : 'needs a newer decoder';
      fail(`the file ${what}: a chunk ${type}`, offset, 'unsupported');
    }
  }

  /**
   * @param {Uint8Array} payload
   * @param {number} offset
   */
  #readHeader(payload, offset) {
    const reader = readerOf(payload, offset);
    const header = parseHeader(reader, payload, offset);
    const { height, width, gaussians, work } = header;
    const map = reader.rest;
    Object.entries({
      maxPixels: height * width,
      maxSide: max(height, width),
      maxGaussians: gaussians,
      maxWork: work,
    }).forEach(([name, found]) => {
      const most = this.#limits[/** @type {keyof Limits} */ (name)];
      if (found > most) fail(`${found} is above the limit ${name}=${most}`, offset, 'limit');
    });
    const picture = new Picture(header);
    if (map.length) {
      picture.alpha = this.#options.tiled
        ? map.slice()
        : decodeAlphaMap(map, height, width) ?? fail('the map of alpha does not decode', offset);
    }
    this.picture = picture;
    this.#decodeLayer = layerDecoder(header);
  }
}

/**
 * Decodes a file.
 * @param {Uint8Array} bytes
 * @param {Options} [options]
 * @returns {Picture}
 * @throws {GimgError} the file is damaged, cut, too large or of another kind
 */
export function decode(bytes, options = {}) {
  const decoder = new Decoder(options);
  try {
    decoder.push(bytes);
    return decoder.finish();
  } catch (error) {
    const { picture } = decoder;
    if (!options.partial || !picture || !(error instanceof GimgError)) throw error;
    if (error.kind === 'unsupported') throw error;
    picture.damage = error;
    return picture;
  }
}

/**
 * Reads a header, up to the map of alpha.
 * @param {Reader} reader
 * @param {Uint8Array} payload
 * @param {number} offset
 * @returns {Header}
 */
function parseHeader(reader, payload, offset) {
  const { byte, u16, varint } = reader;
  const version = byte();
  const minimum = byte();
  const flags = byte();
  if (!minimum || minimum > version) fail('an impossible version', offset);
  if (minimum > 1) fail(`the file needs a reader of version ${minimum}`, offset, 'unsupported');
  if (flags > 15) fail('unknown flags in the header', offset);
  const channels = (flags & 3) + 1;
  /** @type {(value: number, least: number, most: number) => number} */
  const inRange = (value, least, most) => {
    if (value < least || value > most) {
      fail(`the header has ${value}, expected ${least} to ${most}`, offset);
    }
    return value;
  };
  const height = inRange(varint(), 1, 2 ** 24);
  const width = inRange(varint(), 1, 2 ** 24);
  const gaussians = inRange(varint(), 0, 2 ** 28);
  const layers = inRange(byte(), min(1, gaussians), min(255, gaussians));
  const qMax = inRange(u16(), 1, 65535) / 2048;
  const work = inRange(varint(), 0, gaussians * (64 + ceil(width / 8) * (16 + height)));
  if (reader.at === payload.length && flags < 8) {
    fail("the file is of the paper's profile, which is not read here", offset, 'unsupported');
  }
  const colorIndex = byte();
  const shapeIndex = inRange(byte(), 64, 192);
  const background = Array.from({ length: channels }, () => u16() / 65535);
  const hasMap = flags > 7;
  if (hasMap !== reader.at < payload.length || (hasMap && channels % 2)) {
    fail('a header of a wrong length', offset);
  }
  return {
    height,
    width,
    channels,
    deep: (flags & 4) > 0,
    gaussians,
    layers,
    qMax,
    work,
    colorIndex,
    shapeIndex,
    background,
  };
}

/**
 * Checks the size that metadata announces.
 * @param {Uint8Array} payload
 * @param {number} offset
 */
function checkMetadata(payload, offset) {
  const reader = readerOf(payload, offset);
  const size = reader.varint();
  const stream = reader.rest;
  if (!size || size > 1032 * stream.length) fail('metadata of an impossible size', offset);
  if (size > MAX_METADATA) fail(`metadata of ${size} bytes`, offset, 'limit');
  return { size, stream };
}

/**
 * Returns the ICC profile, EXIF data or XMP packet of a picture, or null if it has none.
 * @param {Picture} picture
 * @param {'iCCP' | 'eXIF' | 'xXMP'} type
 * @returns {Promise<Uint8Array | null>}
 * @throws {GimgError} the metadata does not decompress to what the file announces
 */
export async function readMetadata(picture, type) {
  const payload = picture.chunks.get(type);
  if (!payload) return null;
  const { size, stream } = checkMetadata(payload, 0);
  const result = new Uint8Array(size);
  let length = 0;
  let [low, high] = [1, 0];
  try {
    const blob = new Blob([/** @type {BlobPart} */ (stream)]);
    const reader = blob.stream().pipeThrough(new DecompressionStream('deflate')).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      // Beyond its end the array refuses what comes.
      result.set(value, length);
      length += value.length;
    }
    for (const byte of result) {
      low = (low + byte) % 65521;
      high = (high + low) % 65521;
    }
    // The stream ends with this checksum, so that bytes behind it show.
    const sum = u32(stream.slice(-4).reverse(), 0);
    if (length !== size || sum !== high * 65536 + low) throw 0;
  } catch {
    fail(`the metadata of ${type} does not decompress`, 0);
  }
  return result;
}

// The entropy coder -----------------------------------------------------------------------------

const BUCKET_BASE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 80];
const BUCKET_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 0];
const ESCAPE = 15;
const MEMORY = 160;
const STRIDE = 17;
const MOST_IN_BLOCK = 32;
const RATES = Int32Array.from({ length: MEMORY + MOST_IN_BLOCK + 1 }, (_, n) =>
  floor((20480 + 5 * n + 3) / (10 * n + 6)),
);
/** Symbols of the blocks of a plane; all further blocks are as long as the last. */
const BLOCKS = [4, 8, 16, MOST_IN_BLOCK];

/**
 * Returns the weights that tools/web_tables.py packed.
 * @param {string} packed
 */
function unpack(packed) {
  /** @type {number[]} */
  const weights = [];
  let i = 0;
  const next = () => {
    const code = packed.charCodeAt(i++);
    return code - (code > 92 ? 41 : 40);
  };
  while (i < packed.length) {
    const digit = next();
    if (digit < 50) weights.push(digit);
    else if (digit < 80) weights.push((digit - 50) * 86 + next() + 50);
    else if (digit === 85) weights.push(...weights.slice(-16));
    else weights.push(...Array(digit - 78).fill(weights.at(-1)));
  }
  return weights;
}

/**
 * Makes adaptive models of up to 16 symbols each.
 * @param {number[]} sizes number of symbols of each model
 * @param {number[]} weights those of all models
 * @param {number} confidence
 */
export function makeModels(sizes, weights, confidence) {
  const cdf = new Int32Array(STRIDE * sizes.length);
  const seen = new Uint8Array(sizes.length).fill(confidence);
  // What was coded in the block so far: how many symbols, and how many of each.
  const coded = new Uint8Array(sizes.length);
  const counts = new Uint8Array(16 * sizes.length);
  let at = 0;
  sizes.forEach((size, m) => {
    const sums = [0];
    for (let i = 0; i < size; i++) sums.push(sums[i] + weights[at++]);
    sums.forEach((sum, i) => {
      cdf[STRIDE * m + i] = 32 * i + floor(((2 ** 20 - 32 * size) * sum) / sums[size]);
    });
  });

  return {
    cdf,
    /**
     * Counts a symbol of a model; returns whether it is the model's first in the block.
     * @param {number} m
     * @param {number} symbol
     */
    count(m, symbol) {
      counts[16 * m + symbol]++;
      return !coded[m]++;
    },
    /**
     * Lets a model learn from the symbols of a block.
     * @param {number} m
     */
    learn(m) {
      const n = coded[m];
      const known = seen[m] + n;
      const rate = RATES[known];
      const size = sizes[m];
      const span = 1048576 - 32 * size;
      coded[m] = 0;
      seen[m] = min(known, MEMORY);
      let below = 0;
      for (let i = 0; i < size; i++) {
        const j = STRIDE * m + i;
        const entry = cdf[j];
        // The first entry is 0 and stays so.
        cdf[j] = entry + (imul(n * (32 * i - entry) + span * below, rate) >> 11);
        below += counts[16 * m + i];
        counts[16 * m + i] = 0;
      }
    },
  };
}

/** @typedef {ReturnType<typeof makeModels>} Models */

/**
 * Reads symbols, raw bits and then loose bits of a stream; bits past its end are 0.
 * @param {Uint8Array} data
 * @param {Models} models that code its symbols
 * @param {number} count of the coder's states, 2 or 4
 * @param {number[]} [blocks]
 */
export function openStream(data, models, count, blocks = BLOCKS) {
  const { cdf } = models;
  const states = Uint32Array.from({ length: count }, (_, i) => u32(data, 4 * i));
  let broken = data.length < 4 * count || states.some((state) => state < 65536);
  let position = 4 * count;
  let turn = 0;
  let block = 0;
  let left = blocks[0];
  // Models of the block that have coded a symbol.
  const used = new Uint16Array(MOST_IN_BLOCK);
  let usedCount = 0;
  /** @type {Uint8Array | null} the loose bits, before the first of which it is null */
  let loose = null;
  let bit = 0;
  let end = 0;

  function endBlock() {
    for (let i = 0; i < usedCount; i++) models.learn(used[i]);
    usedCount = 0;
    block = min(block + 1, blocks.length - 1);
    left = blocks[block];
  }

  /**
   * @param {number} start
   * @param {number} size
   * @param {number} slot
   */
  function advance(start, size, slot) {
    let state = (imul(size, states[turn] >>> 15) + slot - start) >>> 0;
    if (state < 65536) {
      state <<= 16;
      if (position + 2 <= data.length) state |= data[position] | (data[position + 1] << 8);
      else broken = true;
      position += 2;
    }
    states[turn] = state;
    turn = (turn + 1) & (count - 1);
  }

  /** Returns the loose bits: those of the states below their highest bit, then the rest. */
  function looseBytes() {
    if (!loose) {
      endBlock();
      const rest = data.subarray(position);
      const bytes = new Uint8Array(4 * count + 1 + rest.length);
      /** @type {(value: number, length: number) => void} */
      const put = (value, length) => {
        for (let i = 0; i < length; i++, end++) bytes[end >> 3] |= ((value >>> i) & 1) << (end & 7);
      };
      for (let i = 0; i < count; i++) {
        const state = states[(turn + i) & (count - 1)];
        broken ||= state < 65536;
        put(state, 31 - clz32(state));
      }
      rest.forEach((byte) => put(byte, 8));
      loose = bytes;
    }
    return loose;
  }

  /**
   * Reads bits that follow the last symbol.
   * @param {number} length at most 30
   */
  function bits(length) {
    const bytes = looseBytes();
    if (bit + length > end) {
      broken = true;
      bit = end;
      return 0;
    }
    let value = 0;
    for (let done = 0; done < length; ) {
      const from = bit & 7;
      const take = min(length - done, 8 - from);
      value |= ((bytes[bit >> 3] >> from) & ((1 << take) - 1)) << done;
      done += take;
      bit += take;
    }
    return value;
  }

  /** Reads an integer of the last bucket. */
  function escape() {
    const length = bits(5);
    broken ||= length > 24;
    return 79 + ((1 << length) | bits(min(length, 24)));
  }

  return {
    /**
     * Decodes a symbol by a model, which learns from it at the end of the block.
     * @param {number} m
     */
    code(m) {
      const base = STRIDE * m;
      const slot = states[turn] & 32767;
      const key = (slot << 5) | 31;
      let symbol = 0;
      while (cdf[base + symbol + 1] <= key) symbol++;
      const start = cdf[base + symbol] >> 5;
      advance(start, (cdf[base + symbol + 1] >> 5) - start, slot);
      if (models.count(m, symbol)) used[usedCount++] = m;
      if (!--left) endBlock();
      return symbol;
    },

    /** Begins a plane of symbols; the first one has begun already. */
    startPlane() {
      block = -1;
      endBlock();
    },

    /**
     * Reads raw bits among the symbols.
     * @param {number} length at most 30
     * @returns {number}
     */
    raw(length) {
      let value = 0;
      for (let done = 0; done < length; done += 15) {
        const slot = states[turn] & 32767;
        const shift = max(0, 15 + done - length);
        advance((slot >> shift) << shift, 1 << shift, slot);
        value |= (slot >> shift) << done;
      }
      return value;
    },

    bits,

    /**
     * Reads a number from 0 up in a known bucket.
     * @param {number} bucket
     */
    natural(bucket) {
      return bucket === ESCAPE ? escape() : BUCKET_BASE[bucket] + bits(BUCKET_BITS[bucket]);
    },

    /**
     * Turns the buckets of a few integers into the integers.
     * @param {Int32Array} values
     * @param {number} from
     * @param {number} to
     */
    rest(values, from, to) {
      let escapes = 0;
      for (let i = from; i < to; i++) {
        const bucket = values[i];
        if (!bucket) continue;
        const value = BUCKET_BASE[bucket] + bits(BUCKET_BITS[bucket]);
        if (bucket === ESCAPE) escapes |= 1 << (i - from);
        values[i] = bits(1) ? -value : value;
      }
      for (let i = from; escapes; i++, escapes >>= 1) {
        if (escapes & 1) values[i] = values[i] < 0 ? -escape() : escape();
      }
    },

    /** Returns whether the stream ended as it must. */
    endedCleanly() {
      const bytes = looseBytes();
      if (broken || (end - bit >= 8 && position < data.length)) return false;
      while (bit < end && !((bytes[bit >> 3] >> (bit & 7)) & 1)) bit++;
      return bit === end;
    },
  };
}

/** @typedef {ReturnType<typeof openStream>} Stream */

// The layers ------------------------------------------------------------------------------------

const CONFIDENCE = 30;
// The first model of each kind, as in the table of 4.3.
const LUMA = 0;
const CHROMA = 64;
const SECOND_CHROMA = 128;
const ALPHA = 152;
const SIZE = 156;
const SHEAR = 172;
const SECOND_SHEAR = 188;
const SIZE_BELOW = 204;
const SIZE_ABOVE = 205;
const SPLIT = 206;
const SIXTEENTH = 220;
const BORDER = 15;
const MOST_COUNTED = 14;

/** Number of symbols of each model: the splits of n have n + 1, all others 16. */
const MODEL_SIZES = Array.from({ length: 236 }, (_, m) =>
  m < SPLIT || (m - SPLIT) % BORDER === MOST_COUNTED ? 16 : ((m - SPLIT) % BORDER) + 2,
);

const ROOTS = [
  1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721,
  1.241857812073484, 1.2968395546510096, 1.3542555469368927, 1.4142135623730951, 1.4768261459394993,
  1.5422108254079407, 1.6104903319492543, 1.681792830507429, 1.7562521603732995, 1.8340080864093424,
  1.9152065613971474,
];

const INVERSE_FACTORIALS = [1];
for (let k = 1, product = 1; k <= 13; k++) INVERSE_FACTORIALS.push(1 / (product *= k));

// Powers of two by repeated products, which are exact; an engine's ** need not be.
const POWERS = new Float64Array(129).fill(1);
for (let i = 1; i <= 64; i++) {
  POWERS[64 + i] = POWERS[63 + i] * 2;
  POWERS[64 - i] = POWERS[65 - i] / 2;
}

/**
 * Returns 2^(sixteenths / 16).
 * @param {number} sixteenths
 */
function powerOfTwo(sixteenths) {
  return ROOTS[sixteenths & 15] * POWERS[64 + (sixteenths >> 4)];
}

/**
 * Returns e^x for -60 < x < 60, with the same bits on every machine.
 * @param {number} x
 */
function exp(x) {
  const n = floor(x * 1.4426950408889634 + 0.5);
  const r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10;
  let p = INVERSE_FACTORIALS[13];
  for (let k = 12; k >= 0; k--) p = p * r + INVERSE_FACTORIALS[k];
  return p * POWERS[64 + n];
}

/**
 * Returns the numbers xx and slope of a shape (4.6).
 * @param {number} d1
 * @param {number} d2
 */
function spread(d1, d2) {
  const r = sqrt(d1 * d1 + d2 * d2);
  if (!r) return { xx: 1, slope: 2 };
  const up = exp(2 * r);
  const down = 1 / up;
  const larger = r + abs(d1);
  const smaller = (d2 * d2) / larger;
  const xx = (d1 > 0 ? up * larger + down * smaller : up * smaller + down * larger) / (2 * r);
  return { xx, slope: (up - down) / (2 * r) };
}

// The lattices (4.6) by D1 and D2, as 8 h + k + 4 each, or 0 until one is needed.
const LATTICES = new Uint16Array(57 * 57);

/**
 * Returns which lattice has the centers of a shape (4.6), as 8 h + k + 4.
 * @param {number} d1
 * @param {number} d2
 */
function latticeOf(d1, d2) {
  const e1 = floor(4 * d1 + 0.5) / 4;
  const e2 = floor(4 * d2 + 0.5) / 4;
  const at = 228 * e1 + 4 * e2 + 1624;
  if (!LATTICES[at]) {
    const { xx, slope } = spread(e1, e2);
    const k = max(-3, min(floor(log2(xx) / 2), 3));
    const h = floor((POWERS[68 + 2 * k] * slope * e2) / xx + 0.5) + 8;
    LATTICES[at] = 8 * (h & (POWERS[71 + k] - 1)) + k + 4;
  }
  return LATTICES[at];
}

/**
 * Returns a color's magnitude in half-octaves, 0 to 15.
 * @param {Int32Array} colors
 * @param {number} from
 * @param {number} to
 */
function amplitude(colors, from, to) {
  let square = 0;
  for (let i = from; i < to; i++) {
    const value = min(abs(colors[i]), 4096);
    square += value * value;
  }
  const product = 2 * square * square;
  const bits = product < 2 ** 31 ? 0 : 27;
  return product && min((31 + bits - clz32(product / 2 ** bits)) >> 1, 15);
}

/**
 * Returns how many of the bounds do not exceed the base of each bucket.
 * @param {number[]} bounds
 */
function bucketLevels(bounds) {
  return BUCKET_BASE.map((base) => bounds.filter((bound) => bound <= base).length);
}

const LUMA_LEVEL = bucketLevels([3, 6, 10]);
const CHROMA_LEVEL = bucketLevels([1, 2, 3, 5, 8]);
const LEVEL_BEFORE = bucketLevels([1, 3, 7]);

/**
 * @callback LayerDecoder
 * @param {Uint8Array} payload
 * @param {number} offset
 * @param {Picture} picture that gets the layer's Gaussians and integers
 * @returns {number} the work of all layers so far, in blocks
 */

/**
 * Returns a function that decodes the layers of a file, in their order.
 * @param {Header} header
 * @returns {LayerDecoder}
 */
function layerDecoder({ height, width, channels, gaussians, layers, qMax, colorIndex, shapeIndex }) {
  const models = makeModels(MODEL_SIZES, unpack(LAYER_WEIGHTS), CONFIDENCE);
  const colorStep = powerOfTwo(-colorIndex);
  const shapeStep = powerOfTwo(128 - shapeIndex);
  const steps = Array.from({ length: 16 }, (_, a) =>
    min(shapeStep * (POWERS[64 - (a >> 1)] * (a & 1 ? 0.7071067811865476 : 1)), 0.7),
  );
  let layer = 0;
  let work = 0;

  /**
   * @param {Stream} stream
   * @param {number[][]} counts
   * @param {Levels} levels
   */
  function decodePositions(stream, counts, { x, y }) {
    const right = new Uint8Array(x.length);
    const down = new Uint8Array(x.length);
    let from = 0;
    for (const [j, count] of counts) {
      decodeCells(stream, ceil((16 * width) / 2 ** j), ceil((16 * height) / 2 ** j), from, count);
      from += count;
    }
    for (let i = 0; i < from; i++) {
      x[i] += stream.bits(right[i]);
      y[i] += stream.bits(down[i]);
    }

    /**
     * Decodes the cells of one class as far as symbols tell them (4.4).
     * @param {Stream} stream
     * @param {number} columns
     * @param {number} rows
     * @param {number} from
     * @param {number} count
     */
    function decodeCells(stream, columns, rows, from, count) {
      let level = 0;
      while (2 ** level < max(columns, rows)) level++;
      let halved = 0;
      // Four numbers for each area: x, y, its first Gaussian, and how many it has.
      let areas = new Int32Array(4 * count);
      let next = new Int32Array(4 * count);
      areas.set([0, 0, from, count]);
      let length = 4;
      while (length) {
        const half = 2 ** (level - 1);
        let kept = 0;
        /** @type {(x: number, y: number, begin: number, n: number) => void} */
        const keep = (x, y, begin, n) => {
          if (!n) return;
          next[kept++] = x;
          next[kept++] = y;
          next[kept++] = begin;
          next[kept++] = n;
        };
        for (let a = 0; a < length; a += 4) {
          const left = areas[a];
          const top = areas[a + 1];
          const begin = areas[a + 2];
          const n = areas[a + 3];
          const border = left + 2 ** (level - halved) > columns || top + 2 ** level > rows;
          if ((n === 1 && !border) || !level) {
            for (let i = begin; i < begin + n; i++) {
              x[i] = left;
              y[i] = top;
              right[i] = level - halved;
              down[i] = level;
            }
            continue;
          }
          const x2 = halved ? left : left + half;
          const y2 = halved ? top + half : top;
          const first = x2 >= columns || y2 >= rows ? n : decodeSplit(stream, n, border);
          keep(left, top, begin, first);
          keep(x2, y2, begin + first, n - first);
        }
        [areas, next] = [next, areas];
        length = kept;
        level -= halved;
        halved ^= 1;
      }
    }
  }

  /**
   * Decodes how many of n Gaussians are in the first half of an area.
   * @param {Stream} stream
   * @param {number} n
   * @param {boolean} border
   */
  function decodeSplit(stream, n, border) {
    const row = border ? BORDER : 0;
    if (n <= MOST_COUNTED) return stream.code(SPLIT + row + n - 1);
    const part = stream.code(SIXTEENTH + row);
    const low = ceil((part * (n + 1)) / 16);
    const limit = ceil(((part + 1) * (n + 1)) / 16) - low;
    if (limit === 1) return low;
    const bits = 32 - clz32(limit - 1);
    const short = 2 ** bits - limit;
    const head = stream.raw(bits - 1);
    return low + (head < short ? head : 2 * head + stream.raw(1) - short);
  }

  /**
   * @param {Stream} stream
   * @param {Levels} levels
   */
  function decodeColors({ code, startPlane, rest }, { classes, colors }) {
    const n = classes.length;
    const end = channels * n;
    const set = layers === 1 ? 3 : min(layer, 2);
    for (let i = 0; i < n; i++) {
      if (i > 0 && classes[i] !== classes[i - 1]) startPlane();
      colors[channels * i] = code(LUMA + 16 * set + classes[i]);
    }
    if (channels > 2) {
      startPlane();
      const quarter = ceil(n / 4);
      for (let k = 0; k < quarter; k++) {
        const last = min(n, 3 * quarter + k + 1);
        for (let i = k; i < last; i += quarter) {
          const at = channels * i;
          let before = 0;
          if (k > 0 && classes[i] === classes[i - 1]) {
            const sum = min(colors[at - channels + 1], 7) + min(colors[at - channels + 2], 7);
            before = LEVEL_BEFORE[min(sum, 7)];
          }
          colors[at + 1] = code(CHROMA + 16 * set + 4 * LUMA_LEVEL[colors[at]] + before);
        }
        for (let i = k; i < last; i += quarter) {
          const at = channels * i;
          colors[at + 2] = code(
            SECOND_CHROMA + 4 * CHROMA_LEVEL[colors[at + 1]] + LUMA_LEVEL[colors[at]],
          );
        }
      }
    }
    if (channels % 2 === 0) {
      startPlane();
      for (let at = 0; at < end; at += channels) {
        colors[at + channels - 1] = code(ALPHA + LUMA_LEVEL[colors[at]]);
      }
    }
    for (let at = 0; at < end; at += channels) rest(colors, at, at + channels);
  }

  /**
   * Returns whether all shapes are in their range.
   * @param {Stream} stream
   * @param {Levels} levels
   */
  function decodeShapes({ code, startPlane, natural, rest }, { classes, colors, shapes }) {
    const n = classes.length;
    const amplitudes = new Uint8Array(n);
    const further = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      amplitudes[i] = amplitude(colors, channels * i, channels * (i + 1));
      shapes[3 * i] = code(SIZE + amplitudes[i]);
    }
    startPlane();
    for (let i = 0; i < n; i++) {
      if (!shapes[3 * i]) further[i] = code(SIZE_BELOW);
      if (shapes[3 * i] === 15) further[i] = code(SIZE_ABOVE);
    }
    startPlane();
    for (let i = 0; i < n; i++) {
      shapes[3 * i + 1] = code(SHEAR + amplitudes[i]);
      shapes[3 * i + 2] = code(SECOND_SHEAR + amplitudes[i]);
    }
    for (let i = 0; i < n; i++) {
      const a = amplitudes[i];
      const step = steps[a];
      const symbol = shapes[3 * i];
      const size = 0.6931471805599453 * (classes[i] - 4.5 + 0.5 * a);
      let level = floor(size / step + 0.5) + symbol - 8;
      if (!symbol) level -= natural(further[i]);
      if (symbol === 15) level += natural(further[i]);
      shapes[3 * i] = level;
      rest(shapes, 3 * i + 1, 3 * i + 3);
      const s = level * step;
      const d1 = shapes[3 * i + 1] * step;
      const d2 = shapes[3 * i + 2] * step;
      if (!(s >= -7 && s <= 14 && d1 * d1 + d2 * d2 <= 49)) return false;
    }
    return true;
  }

  /**
   * Turns the integers of a layer into numbers (4.6), at the end of a picture.
   * @param {Levels} levels
   * @param {Picture} picture
   */
  function dequantize({ classes, x, y, colors: color, shapes }, { means, cholesky, colors, count }) {
    for (let i = 0; i < classes.length; i++) {
      const at = count + i;
      const cell = POWERS[60 + classes[i]];
      const from = channels * i;
      const to = channels * at;
      const step = steps[amplitude(color, from, from + channels)];
      const d1 = shapes[3 * i + 1] * step;
      const d2 = shapes[3 * i + 2] * step;
      const size = exp(shapes[3 * i] * step);
      const area = size * size;
      const { xx, slope } = spread(d1, d2);
      const l11 = size * sqrt(xx);
      const l21 = (area * slope * d2) / l11;
      const l22 = area / l11;
      // In a block that the grid does not cover whole, the points are the middles of the cells (4.6).
      const whole = (x[i] | 7) * cell < width && (y[i] | 7) * cell < height;
      const lattice = whole ? latticeOf(d1, d2) : 4;
      const k = (lattice & 7) - 4;
      const p = max(k, 0);
      const q = p - k;
      const a = x[i] & 7;
      const b = y[i] & 7;
      const column = ((a >> p) << q) | (b & ~(-1 << q));
      const point = ((b >> q) << p) | (a & ~(-1 << p));
      const down = (16 * point + 8 + column * (lattice >> 3)) & (POWERS[71 + k] - 1);
      const meanX = (x[i] - a + (column + 0.5) * POWERS[64 + k]) * cell;
      const meanY = (y[i] - b + down * POWERS[60 - k]) * cell;
      means[2 * at] = meanX;
      means[2 * at + 1] = meanY;
      cholesky[3 * at] = l11;
      cholesky[3 * at + 1] = l21;
      cholesky[3 * at + 2] = l22;
      const scale = colorStep / (1.7724538509055159 * size);
      if (channels > 2) {
        const luma = scale * color[from] * 0.5773502691896258;
        const o = scale * color[from + 1] * 0.7071067811865476;
        const g = scale * color[from + 2] * 0.4082482904638631;
        colors[to] = luma + o - g;
        colors[to + 1] = luma + 2 * g;
        colors[to + 2] = luma - o - g;
      } else {
        colors[to] = scale * color[from];
      }
      if (channels % 2 === 0) {
        colors[to + channels - 1] = scale * color[from + channels - 1];
      }
      work += 64 + columnWork(meanX, meanY, l11, l21, l22);
    }
  }

  /**
   * Returns the work of the columns that a Gaussian touches (section 2), less a millionth of its
   * lengths.
   * @param {number} x
   * @param {number} y
   * @param {number} l11
   * @param {number} l21
   * @param {number} l22
   */
  function columnWork(x, y, l11, l21, l22) {
    if (!(l11 > 1e-6 && l22 > 1e-6)) return 0;
    const k = sqrt(2 * qMax);
    const left = floor((x - k * l11 - 0.5 - 0.001) / 8);
    const right = floor((x + k * l11 - 0.5 + 0.001) / 8) + 1;
    const least = 1 - 1e-6;
    const reach = k * sqrt(l21 * l21 + l22 * l22) * least;
    const rows = min(ceil(y + reach), height) - max(floor(y - reach), 0);
    const columns = min(right, ceil(width / 8)) - max(left, 0);
    if (columns <= 0 || rows <= 0) return 0;
    return columns * (16 + min(rows, floor((7 * abs(l21 / l11) + 2 * k * l22) * least) + 2));
  }

  return (payload, offset, picture) => {
    const reader = readerOf(payload, offset);
    const mask = reader.u16();
    const counts = [];
    let total = 0;
    for (let j = 15; j >= 0; j--) {
      if (!((mask >> j) & 1)) continue;
      const count = reader.varint();
      if (!count) fail('a class of no Gaussians', offset);
      total += count;
      counts.push([j, count]);
    }
    if (total > min(gaussians - picture.count, 16 * payload.length)) {
      fail('a layer of too many Gaussians', offset);
    }
    const first = reader.varint();
    const second = reader.varint();
    const { rest } = reader;
    if (first + second > rest.length) fail('a layer shorter than its streams', offset);
    const levels = {
      classes: new Uint8Array(total),
      x: new Int32Array(total),
      y: new Int32Array(total),
      colors: new Int32Array(channels * total),
      shapes: new Int32Array(3 * total),
    };
    let at = 0;
    for (const [j, count] of counts) levels.classes.fill(j, at, (at += count));
    const [positions, colors, shapes] = [
      rest.subarray(0, first),
      rest.subarray(first, first + second),
      rest.subarray(first + second),
    ].map((data) => openStream(data, models, total < 64 ? 2 : 4));
    decodePositions(positions, counts, levels);
    decodeColors(colors, levels);
    if (!decodeShapes(shapes, levels) || ![positions, colors, shapes].every((s) => s.endedCleanly())) {
      fail('a layer does not decode', offset);
    }
    layer++;
    reserve(picture, picture.count + total);
    dequantize(levels, picture);
    picture.count += total;
    picture.layers.push({ gaussians: picture.count, bytes: 0 });
    picture.levels.push(levels);
    return work;
  };
}

// The map of alpha ------------------------------------------------------------------------------

const ALPHA_CONFIDENCE = 4;
const MIXED = 3;

/**
 * Returns the class of each pixel (4.9), or null if the map is invalid.
 * @param {Uint8Array} data
 * @param {number} height
 * @param {number} width
 */
function decodeAlphaMap(data, height, width) {
  const map = new Uint8Array(height * width);
  if (data.length === 1) return data[0] > 2 ? null : map.fill(data[0]);
  const single = unpack(ALPHA_PIXEL_WEIGHTS);
  // Two neighboring models of pixels start from the same weights.
  const doubled = Array.from({ length: 1944 }, (_, i) => single[3 * floor(i / 6) + (i % 3)]);
  const sizes = Array.from({ length: 664 }, (_, i) => (i < 16 ? 4 : 3));
  const models = makeModels(sizes, unpack(ALPHA_BLOCK_WEIGHTS).concat(doubled), ALPHA_CONFIDENCE);
  const { code, endedCleanly } = openStream(data, models, 2, [1]);
  const columns = ceil(width / 8);
  const kinds = new Uint8Array(columns * ceil(height / 8));
  for (let i = 0; i < kinds.length; i++) {
    const left = i % columns ? kinds[i - 1] : 0;
    kinds[i] = code(4 * left + (i >= columns ? kinds[i - columns] : 0));
  }
  // Three rows with two entries of class 0 before and behind.
  let [twoAbove, above, here] = [0, 0, 0].map(() => new Uint8Array(width + 4));
  for (let y = 0; y < height; y++) {
    const row = columns * (y >> 3);
    for (let x = 0; x < width; x++) {
      const kind = kinds[row + (x >> 3)];
      here[x + 2] = kind === MIXED ? 0 : kind;
    }
    for (let x = 0; x < width; x++) {
      if (kinds[row + (x >> 3)] !== MIXED) continue;
      const west = here[x + 1];
      const north = above[x + 2];
      const northwest = above[x + 1];
      const context =
        8 * (27 * west + 9 * north + 3 * northwest + above[x + 3]) +
        4 * +(here[x] === west) +
        2 * +(twoAbove[x + 2] === north) +
        +(twoAbove[x + 1] === northwest);
      here[x + 2] = code(16 + context);
    }
    map.set(here.subarray(2, width + 2), y * width);
    [twoAbove, above, here] = [above, here, twoAbove];
  }
  return endedCleanly() ? map : null;
}
