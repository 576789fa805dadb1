/**
 * Decodes .gimg files: container, layers and map of alpha, as docs/format.md describes them. The
 * integers and numbers are those of the native decoder, bit for bit. Needs no DOM.
 *
 * `decode(bytes)` decodes a whole file. A `Decoder` takes bytes as they arrive, and its picture grows
 * by a layer at a time.
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
 */
function damaged(message, offset) {
  return new GimgError('format', message, offset);
}

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
     * The class of each pixel's alpha: 0 transparent, 1 opaque, 2 neither.
     * @type {Uint8Array | null}
     */
    this.alpha = null;
    /**
     * Compressed metadata by the type of its chunk: iCCP, eXIF, xXMP.
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
  }

  /** Whether the last channel is alpha. */
  get hasAlpha() {
    return this.header.channels % 2 === 0;
  }

  /**
   * @param {number} count
   * @returns {void}
   */
  reserve(count) {
    if (count * 2 <= this.means.length) return;
    const room = Math.min(Math.max(count, this.means.length), this.header.gaussians);
    this.means = grown(this.means, new Float64Array(2 * room));
    this.cholesky = grown(this.cholesky, new Float64Array(3 * room));
    this.colors = grown(this.colors, new Float32Array(this.header.channels * room));
  }
}

/**
 * @template {Float32Array | Float64Array} T
 * @param {T} from
 * @param {T} to
 * @returns {T}
 */
function grown(from, to) {
  to.set(from);
  return to;
}

// The container ---------------------------------------------------------------------------------

const SIGNATURE = [0x8b, 0x47, 0x49, 0x4d, 0x47, 0x0d, 0x0a, 0x0a];
const METADATA = ['iCCP', 'eXIF', 'xXMP'];
const MAX_METADATA = 2 ** 24;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

/**
 * @param {Uint8Array} data
 * @param {number} at
 */
function u32(data, at) {
  return (data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)) >>> 0;
}

/**
 * @param {Uint8Array} data
 * @param {number} start
 * @param {number} end
 */
function crc32(data, start, end) {
  let crc = -1;
  for (let i = start; i < end; i++) crc = CRC_TABLE[(crc ^ data[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Reads integers from bytes, and fails where they end. */
class Reader {
  /**
   * @param {Uint8Array} data
   * @param {number} position
   * @param {number} offset of `data` in the file
   */
  constructor(data, position, offset) {
    this.data = data;
    this.position = position;
    this.offset = offset;
  }

  byte() {
    if (this.position >= this.data.length) throw this.error('truncated', 'the data ends early');
    return this.data[this.position++];
  }

  u16() {
    return this.byte() | (this.byte() << 8);
  }

  varint() {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) {
        if ((byte === 0 && i > 0) || (i === 9 && byte > 1)) break;
        return value;
      }
    }
    throw this.damaged('an invalid integer');
  }

  /** @param {string} message */
  damaged(message) {
    return this.error('format', message);
  }

  /**
   * @param {ErrorKind} kind
   * @param {string} message
   */
  error(kind, message) {
    return new GimgError(kind, message, this.offset + this.position);
  }
}

/**
 * @typedef {object} Options
 * @property {Partial<Limits>} [limits] what is refused; `LIMITS` by default
 * @property {boolean} [partial] accept a file that is cut or damaged behind its header
 * @property {boolean} [levels] keep the integers of the layers in `picture.levels`
 */

/** Decodes a file whose bytes come piece by piece. */
export class Decoder {
  #limits;
  #keepLevels;
  #buffer = new Uint8Array(0);
  // The unread bytes of the buffer, and where in the file they are.
  #start = 0;
  #end = 0;
  #offset = 0;
  #ended = false;
  /** @type {LayerDecoder | null} */
  #layerDecoder = null;

  /** @param {Options} [options] */
  constructor(options = {}) {
    this.#limits = { ...LIMITS, ...options.limits };
    this.#keepLevels = options.levels === true;
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
    if (this.#offset + this.#end - this.#start + bytes.length > this.#limits.maxBytes) {
      throw new GimgError('limit', `the file has more than ${this.#limits.maxBytes} bytes`, 0);
    }
    this.#append(bytes);
    if (this.#offset === 0 && !this.#readSignature()) return;
    while (this.#start < this.#end && this.#readChunk());
  }

  /**
   * Tells that no more bytes come.
   * @returns {Picture} the whole picture
   * @throws {GimgError} the file is not whole
   */
  finish() {
    if (!this.#ended || !this.picture) {
      const at = this.#offset + this.#end - this.#start;
      throw new GimgError('truncated', `the file is cut off after ${at} bytes`, at);
    }
    return this.picture;
  }

  /** @param {Uint8Array} bytes */
  #append(bytes) {
    const length = this.#end - this.#start;
    if (this.#end + bytes.length > this.#buffer.length) {
      const room = new Uint8Array(Math.max(2 * length, length + bytes.length));
      room.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = room;
      this.#start = 0;
      this.#end = length;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Returns whether all of the signature was there. */
  #readSignature() {
    const length = Math.min(this.#end - this.#start, SIGNATURE.length);
    for (let i = 0; i < length; i++) {
      if (this.#buffer[this.#start + i] !== SIGNATURE[i]) {
        throw damaged('this is not a .gimg file', 0);
      }
    }
    if (length < SIGNATURE.length) return false;
    this.#start += length;
    this.#offset += length;
    return true;
  }

  /** Reads a chunk; returns whether all of it was there. */
  #readChunk() {
    const data = this.#buffer.subarray(this.#start, this.#end);
    if (this.#ended) throw damaged('bytes follow the end of the file', this.#offset);
    const type = String.fromCharCode(...data.subarray(0, 4));
    if (!'AAAA'.startsWith(type.replace(/^[A-Za-z]/, 'A').replace(/(?<=.)[A-Z0-9]/g, 'A'))) {
      throw damaged('the file is damaged: no chunk here', this.#offset);
    }
    let from = 4;
    while (from < data.length && data[from] > 127 && from < 8) from++;
    if (from >= data.length) return false;
    const reader = new Reader(data, 4, this.#offset);
    const length = reader.varint();
    from = reader.position;
    if (length >= 2 ** 31) throw reader.damaged(`a chunk ${type} of ${length} bytes`);
    if (this.#offset + from + length + 4 > this.#limits.maxBytes) {
      throw reader.error('limit', `a chunk ${type} of ${length} bytes is above the limit`);
    }
    const to = from + length;
    if (to + 4 > data.length) return false;
    if (crc32(data, 0, to) !== u32(data, to)) {
      throw damaged(`the file is damaged: wrong checksum of ${type}`, this.#offset);
    }
    this.#readPayload(type, data.subarray(from, to), this.#offset + from);
    this.#start += to + 4;
    this.#offset += to + 4;
    if (this.picture) {
      this.picture.bytes = this.#offset;
      this.picture.complete = this.#ended;
      const { layers } = this.picture;
      if (type === 'LAYR') layers[layers.length - 1].bytes = this.#offset;
    }
    return true;
  }

  /**
   * @param {string} type
   * @param {Uint8Array} payload
   * @param {number} offset
   */
  #readPayload(type, payload, offset) {
    const { picture } = this;
    if ((type === 'HEAD') !== !picture) {
      throw damaged(`a chunk ${type} out of place`, offset);
    }
    if (!picture) {
      this.#readHeader(payload, offset);
    } else if (type === 'LAYR') {
      this.#readLayer(picture, payload, offset);
    } else if (type === 'GEND') {
      const { header, layers, count } = picture;
      if (payload.length) throw damaged('the end of the file is not empty', offset);
      if (layers.length !== header.layers || count !== header.gaussians) {
        throw damaged(`the header announces ${header.gaussians} Gaussians in ${header.layers} layers, found ` +
            `${count} in ${layers.length}`,
          offset,
        );
      }
      this.#ended = true;
    } else if (METADATA.includes(type)) {
      if (picture.chunks.has(type)) throw damaged(`two chunks ${type}`, offset);
      checkMetadata(payload, offset);
      picture.chunks.set(type, payload.slice());
    } else if (type === 'TIDX') {
      throw new GimgError('unsupported', 'the file is tiled, which is not read here', offset);
    } else if (type[0] <= 'Z') {
      throw new GimgError('unsupported', `this decoder does not know chunks ${type}`, offset);
    }
  }

  /**
   * @param {Uint8Array} payload
   * @param {number} offset
   */
  #readHeader(payload, offset) {
    const reader = new Reader(payload, 0, offset);
    const header = parseHeader(reader);
    const limits = this.#limits;
    const map = payload.subarray(reader.position);
    const found = {
      maxPixels: header.height * header.width,
      maxSide: Math.max(header.height, header.width),
      maxGaussians: header.gaussians,
      maxWork: header.work,
      maxBytes: offset,
    };
    for (const name of /** @type {(keyof Limits)[]} */ (Object.keys(found))) {
      const most = limits[name];
      if (found[name] > most) {
        throw new GimgError('limit', `${found[name]} is above the limit ${name}=${most}`, offset);
      }
    }
    const picture = new Picture(header);
    if (map.length) {
      picture.alpha = decodeAlphaMap(map, header.height, header.width);
      if (!picture.alpha) throw reader.damaged('the map of alpha does not decode');
    }
    this.picture = picture;
    this.#layerDecoder = new LayerDecoder(header);
  }

  /**
   * @param {Picture} picture
   * @param {Uint8Array} payload
   * @param {number} offset
   */
  #readLayer(picture, payload, offset) {
    const { header } = picture;
    const decoder = /** @type {LayerDecoder} */ (this.#layerDecoder);
    if (picture.layers.length === header.layers) {
      throw damaged(`more than ${header.layers} layers`, offset);
    }
    const levels = decoder.decode(payload, offset, header.gaussians - picture.count);
    const begin = picture.count;
    picture.reserve(begin + levels.classes.length);
    if (decoder.dequantize(levels, picture, begin) > header.work) {
      throw damaged('the file takes more work than its header announces', offset);
    }
    picture.count = begin + levels.classes.length;
    picture.layers.push({ gaussians: picture.count, bytes: 0 });
    if (this.#keepLevels) picture.levels.push(levels);
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
 * @returns {Header}
 */
function parseHeader(reader) {
  const version = reader.byte();
  const minimum = reader.byte();
  const flags = reader.byte();
  if (minimum < 1 || minimum > version) throw reader.damaged('an impossible version');
  if (minimum > 1) {
    throw reader.error('unsupported', `the file needs a reader of version ${minimum}`);
  }
  if (flags > 15) throw reader.damaged('unknown flags in the header');
  const channels = (flags & 3) + 1;
  const height = reader.varint();
  const width = reader.varint();
  const gaussians = reader.varint();
  const layers = reader.byte();
  const qMax = reader.u16();
  const work = reader.varint();
  if (reader.position === reader.data.length && flags < 8) {
    throw reader.error('unsupported', "the file is of the paper's profile, which is not read here");
  }
  const colorIndex = reader.byte();
  const shapeIndex = reader.byte();
  const background = [];
  for (let k = 0; k < channels; k++) background.push(reader.u16() / 65535);
  const hasMap = flags >= 8;
  if (hasMap !== reader.position < reader.data.length || (hasMap && channels % 2)) {
    throw reader.damaged('a header of a wrong length');
  }
  const mostWork = gaussians * (64 + Math.ceil(width / 8) * (16 + height));
  const most = [2 ** 24, 2 ** 24, 2 ** 28, Math.min(255, gaussians), 65535, mostWork, 192];
  const least = [1, 1, 0, Math.min(1, gaussians), 1, 0, 64];
  [height, width, gaussians, layers, qMax, work, shapeIndex].forEach((value, i) => {
    if (value < least[i] || value > most[i]) {
      throw reader.damaged(`the header has ${value}, expected ${least[i]} to ${most[i]}`);
    }
  });
  return {
    height,
    width,
    channels,
    deep: (flags & 4) !== 0,
    gaussians,
    layers,
    qMax: qMax / 2048,
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
 * @returns {{size: number, stream: Uint8Array}}
 */
function checkMetadata(payload, offset) {
  const reader = new Reader(payload, 0, offset);
  const size = reader.varint();
  const stream = payload.subarray(reader.position);
  if (size < 1 || size > 1032 * stream.length) {
    throw reader.damaged('metadata of an impossible size');
  }
  if (size > MAX_METADATA) throw reader.error('limit', `metadata of ${size} bytes`);
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
      if (length + value.length > size) throw new RangeError();
      result.set(value, length);
      length += value.length;
    }
    for (const byte of result) {
      low = (low + byte) % 65521;
      high = (high + low) % 65521;
    }
    // The stream ends with this checksum, so that bytes behind it show.
    const sum = new DataView(stream.buffer, stream.byteOffset + stream.length - 4).getUint32(0);
    if (length !== size || sum !== high * 65536 + low) throw new RangeError();
  } catch {
    throw damaged(`the metadata of ${type} does not decompress`, 0);
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
  Math.floor((20480 + 5 * n + 3) / (10 * n + 6)),
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
  for (let i = 0; i < packed.length; i++) {
    const digit = digitAt(packed, i);
    if (digit < 50) weights.push(digit);
    else if (digit < 80) weights.push((digit - 50) * 86 + digitAt(packed, ++i) + 50);
    else if (digit === 85) weights.push(...weights.slice(-16));
    else weights.push(...Array(digit - 78).fill(weights.at(-1)));
  }
  return weights;
}

/**
 * @param {string} packed
 * @param {number} i
 */
function digitAt(packed, i) {
  const code = packed.charCodeAt(i);
  return code - (code > 92 ? 41 : 40);
}

/** Adaptive models of up to 16 symbols each. */
class Models {
  /**
   * @param {number[]} sizes number of symbols of each model
   * @param {number[]} weights those of all models
   * @param {number} confidence
   */
  constructor(sizes, weights, confidence) {
    this.sizes = Uint8Array.from(sizes);
    this.cdf = new Int32Array(STRIDE * sizes.length);
    this.seen = new Uint8Array(sizes.length).fill(confidence);
    // What was coded in the block so far: how many symbols, and how many of each.
    this.coded = new Uint8Array(sizes.length);
    this.counts = new Uint8Array(16 * sizes.length);
    let at = 0;
    sizes.forEach((size, m) => {
      const sums = [0];
      for (let i = 0; i < size; i++) sums.push(sums[i] + weights[at++]);
      const span = 2 ** 20 - 32 * size;
      sums.forEach((sum, i) => {
        this.cdf[STRIDE * m + i] = 32 * i + Math.floor((span * sum) / sums[size]);
      });
    });
  }

  /**
   * Lets a model learn from the symbols of a block.
   * @param {number} m
   */
  learn(m) {
    const { cdf, counts } = this;
    const n = this.coded[m];
    const seen = this.seen[m] + n;
    const rate = RATES[seen];
    const size = this.sizes[m];
    const span = 1048576 - 32 * size;
    this.coded[m] = 0;
    this.seen[m] = Math.min(seen, MEMORY);
    let below = 0;
    for (let i = 1; i < size; i++) {
      below += counts[16 * m + i - 1];
      counts[16 * m + i - 1] = 0;
      const entry = cdf[STRIDE * m + i];
      const away = n * (32 * i - entry) + span * below;
      cdf[STRIDE * m + i] = entry + (Math.imul(away, rate) >> 11);
    }
    counts[16 * m + size - 1] = 0;
  }
}

/** Reads symbols, raw bits and then loose bits of a stream; bits past its end are 0. */
class Stream {
  #data;
  #broken;
  /** @type {Uint32Array} */
  #states;
  #last;
  #position;
  #turn = 0;
  #models;
  #blocks;
  #block = 0;
  #left;
  /** Models of the block that have coded a symbol. */
  #used = new Uint16Array(MOST_IN_BLOCK);
  #count = 0;
  /** @type {Uint8Array | null} the loose bits, before the first of which it is null */
  #loose = null;
  #bit = 0;
  #bits = 0;

  /**
   * @param {Uint8Array} data
   * @param {Models} models that code its symbols
   * @param {number} states number of the coder's states, 2 or 4
   * @param {number[]} [blocks]
   */
  constructor(data, models, states, blocks = BLOCKS) {
    this.#data = data;
    this.#models = models;
    this.#blocks = blocks;
    this.#left = blocks[0];
    this.#last = states - 1;
    this.#position = 4 * states;
    this.#broken = data.length < 4 * states;
    this.#states = Uint32Array.from({ length: states }, (_, i) => u32(data, 4 * i));
    this.#broken ||= this.#states.some((state) => state < 65536);
  }

  /**
   * Decodes a symbol by a model, which learns from it at the end of the block.
   * @param {number} m
   */
  code(m) {
    const models = this.#models;
    const { cdf } = models;
    const base = STRIDE * m;
    const slot = this.#states[this.#turn] & 32767;
    const key = (slot << 5) | 31;
    let symbol = 0;
    while (cdf[base + symbol + 1] <= key) symbol++;
    const start = cdf[base + symbol] >> 5;
    this.#advance(start, (cdf[base + symbol + 1] >> 5) - start, slot);
    if (models.coded[m]++ === 0) this.#used[this.#count++] = m;
    models.counts[16 * m + symbol]++;
    if (--this.#left === 0) this.#endBlock();
    return symbol;
  }

  /** Begins a plane of symbols; the first one has begun already. */
  startPlane() {
    this.#endBlock();
    this.#block = 0;
    this.#left = this.#blocks[0];
  }

  #endBlock() {
    for (let i = 0; i < this.#count; i++) this.#models.learn(this.#used[i]);
    this.#count = 0;
    this.#block = Math.min(this.#block + 1, this.#blocks.length - 1);
    this.#left = this.#blocks[this.#block];
  }

  /**
   * Reads raw bits among the symbols.
   * @param {number} count at most 30
   * @returns {number}
   */
  raw(count) {
    if (count === 0) return 0;
    if (count > 15) {
      const low = this.raw(15);
      return low | (this.raw(count - 15) << 15);
    }
    const slot = this.#states[this.#turn] & 32767;
    const shift = 15 - count;
    this.#advance((slot >> shift) << shift, 1 << shift, slot);
    return slot >> shift;
  }

  /**
   * @param {number} start
   * @param {number} size
   * @param {number} slot
   */
  #advance(start, size, slot) {
    let state = (Math.imul(size, this.#states[this.#turn] >>> 15) + slot - start) >>> 0;
    if (state < 65536) {
      state <<= 16;
      if (this.#position + 2 <= this.#data.length) {
        state |= this.#data[this.#position] | (this.#data[this.#position + 1] << 8);
        this.#position += 2;
      } else {
        this.#broken = true;
      }
    }
    this.#states[this.#turn] = state;
    this.#turn = (this.#turn + 1) & this.#last;
  }

  /** Returns the loose bits: those of the states below their highest bit, then the rest. */
  #looseBytes() {
    if (!this.#loose) {
      this.#endBlock();
      const rest = this.#data.subarray(this.#position);
      const loose = new Uint8Array(4 * this.#last + 5 + rest.length);
      const put = (/** @type {number} */ value, /** @type {number} */ count) => {
        for (let i = 0; i < count; i++, this.#bits++) {
          loose[this.#bits >> 3] |= ((value >>> i) & 1) << (this.#bits & 7);
        }
      };
      for (let i = 0; i <= this.#last; i++) {
        const state = this.#states[(this.#turn + i) & this.#last];
        this.#broken ||= state < 65536;
        put(state, 31 - Math.clz32(state));
      }
      for (const byte of rest) put(byte, 8);
      this.#loose = loose;
    }
    return this.#loose;
  }

  /**
   * Reads bits that follow the last symbol.
   * @param {number} count at most 30
   */
  bits(count) {
    const loose = this.#loose ?? this.#looseBytes();
    if (this.#bit + count > this.#bits) {
      this.#broken = true;
      this.#bit = this.#bits;
      return 0;
    }
    let value = 0;
    for (let done = 0; done < count; ) {
      const from = this.#bit & 7;
      const take = Math.min(count - done, 8 - from);
      value |= ((loose[this.#bit >> 3] >> from) & ((1 << take) - 1)) << done;
      done += take;
      this.#bit += take;
    }
    return value;
  }

  /** Reads an integer of the last bucket. */
  escape() {
    let length = this.bits(5);
    if (length > 24) {
      this.#broken = true;
      length = 24;
    }
    return BUCKET_BASE[ESCAPE] - 1 + ((1 << length) | this.bits(length));
  }

  /**
   * Reads a number from 0 up in a known bucket.
   * @param {number} bucket
   */
  natural(bucket) {
    return bucket === ESCAPE ? this.escape() : BUCKET_BASE[bucket] + this.bits(BUCKET_BITS[bucket]);
  }

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
      if (bucket === 0) continue;
      const value = BUCKET_BASE[bucket] + this.bits(BUCKET_BITS[bucket]);
      const negative = this.bits(1);
      if (bucket === ESCAPE) escapes |= 1 << (i - from);
      values[i] = negative ? -value : value;
    }
    for (let i = from; escapes; i++, escapes >>= 1) {
      if (escapes & 1) values[i] = values[i] < 0 ? -this.escape() : this.escape();
    }
  }

  /** Returns whether the stream ended as it must. */
  endedCleanly() {
    const loose = this.#looseBytes();
    if (this.#broken) return false;
    if (this.#bits - this.#bit >= 8 && this.#position < this.#data.length) return false;
    for (; this.#bit < this.#bits; this.#bit++) {
      if ((loose[this.#bit >> 3] >> (this.#bit & 7)) & 1) return false;
    }
    return true;
  }
}

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
const POWERS = new Float64Array(129);
POWERS[64] = 1;
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
  const n = Math.floor(x * 1.4426950408889634 + 0.5);
  const r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10;
  let p = INVERSE_FACTORIALS[13];
  for (let k = 12; k >= 0; k--) p = p * r + INVERSE_FACTORIALS[k];
  return p * POWERS[64 + n];
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
    const value = Math.min(Math.abs(colors[i]), 4096);
    square += value * value;
  }
  if (square === 0) return 0;
  const product = 2 * square * square;
  const bits = product < 2 ** 31 ? 0 : 27;
  return Math.min((31 + bits - Math.clz32(product / 2 ** bits)) >> 1, 15);
}

/** The number of 3, 6, 10 that do not exceed the base of a bucket, by bucket. */
const LUMA_LEVEL = BUCKET_BASE.map((base) => +(base >= 3) + +(base >= 6) + +(base >= 10));
/** The number of 1, 2, 3, 5, 8 that do not exceed the base of a bucket, by bucket. */
const CHROMA_LEVEL = BUCKET_BASE.map((base) => [1, 2, 3, 5, 8].filter((b) => b <= base).length);

/** Decodes the layers of a file, in their order. */
class LayerDecoder {
  #header;
  #layer = 0;
  #work = 0;
  #models = new Models(MODEL_SIZES, unpack(LAYER_WEIGHTS), CONFIDENCE);
  #colorStep;
  #steps;

  /** @param {Header} header */
  constructor(header) {
    this.#header = header;
    this.#colorStep = powerOfTwo(-header.colorIndex);
    const shapeStep = powerOfTwo(128 - header.shapeIndex);
    this.#steps = Array.from({ length: 16 }, (_, a) =>
      Math.min(shapeStep * (POWERS[64 - (a >> 1)] * (a & 1 ? 0.7071067811865476 : 1)), 0.7),
    );
  }

  /**
   * Decodes the next layer, which has at most `most` Gaussians.
   * @param {Uint8Array} payload
   * @param {number} offset
   * @param {number} most
   * @returns {Levels}
   */
  decode(payload, offset, most) {
    const reader = new Reader(payload, 0, offset);
    const mask = reader.u16();
    const counts = [];
    let total = 0;
    for (let j = 15; j >= 0; j--) {
      if (!((mask >> j) & 1)) continue;
      const count = reader.varint();
      if (count === 0) throw reader.damaged('a class of no Gaussians');
      total += count;
      counts.push([j, count]);
    }
    if (total > Math.min(most, 16 * payload.length)) {
      throw reader.damaged('a layer of too many Gaussians');
    }
    const first = reader.varint();
    const second = reader.varint();
    const begin = reader.position;
    if (first + second > payload.length - begin) {
      throw reader.damaged('a layer shorter than its streams');
    }
    const { channels } = this.#header;
    const levels = {
      classes: new Uint8Array(total),
      x: new Int32Array(total),
      y: new Int32Array(total),
      colors: new Int32Array(channels * total),
      shapes: new Int32Array(3 * total),
    };
    let at = 0;
    for (const [j, count] of counts) levels.classes.fill(j, at, (at += count));
    const middle = begin + first;
    if (
      !this.#positions(payload.subarray(begin, middle), counts, levels) ||
      !this.#colors(payload.subarray(middle, middle + second), levels) ||
      !this.#shapes(payload.subarray(middle + second), levels)
    ) {
      throw damaged('a layer does not decode', offset);
    }
    this.#layer++;
    return levels;
  }

  /**
   * @param {Uint8Array} data
   * @param {number[][]} counts
   * @param {Levels} levels
   */
  #positions(data, counts, levels) {
    const stream = new Stream(data, this.#models, levels.x.length < 64 ? 2 : 4);
    const { height, width } = this.#header;
    const total = levels.x.length;
    const right = new Uint8Array(total);
    const down = new Uint8Array(total);
    let from = 0;
    for (const [j, count] of counts) {
      const columns = Math.ceil((16 * width) / 2 ** j);
      const rows = Math.ceil((16 * height) / 2 ** j);
      this.#cells(stream, columns, rows, levels, right, down, from, count);
      from += count;
    }
    for (let i = 0; i < total; i++) {
      levels.x[i] += stream.bits(right[i]);
      levels.y[i] += stream.bits(down[i]);
    }
    return stream.endedCleanly();
  }

  /**
   * Decodes the cells of one class as far as symbols tell them (4.4).
   * @param {Stream} stream
   * @param {number} columns
   * @param {number} rows
   * @param {Levels} levels
   * @param {Uint8Array} right
   * @param {Uint8Array} down
   * @param {number} from
   * @param {number} count
   */
  #cells(stream, columns, rows, levels, right, down, from, count) {
    let level = 0;
    while (2 ** level < Math.max(columns, rows)) level++;
    let halved = 0;
    // Four numbers for each area: x, y, its first Gaussian, and how many it has.
    let areas = new Int32Array(4 * count);
    let next = new Int32Array(4 * count);
    areas.set([0, 0, from, count]);
    let length = 4;
    while (length) {
      const width = 2 ** (level - halved);
      const height = 2 ** level;
      const half = 2 ** (level - 1);
      let kept = 0;
      for (let a = 0; a < length; a += 4) {
        const x = areas[a];
        const y = areas[a + 1];
        const begin = areas[a + 2];
        const n = areas[a + 3];
        const border = x + width > columns || y + height > rows;
        if ((n === 1 && !border) || level === 0) {
          for (let i = begin; i < begin + n; i++) {
            levels.x[i] = x;
            levels.y[i] = y;
            right[i] = level - halved;
            down[i] = level;
          }
          continue;
        }
        const x2 = halved ? x : x + half;
        const y2 = halved ? y + half : y;
        const beyond = halved ? y2 >= rows : x2 >= columns;
        const first = beyond ? n : this.#split(stream, n, border);
        if (first > 0) {
          next[kept] = x;
          next[kept + 1] = y;
          next[kept + 2] = begin;
          next[kept + 3] = first;
          kept += 4;
        }
        if (first < n) {
          next[kept] = x2;
          next[kept + 1] = y2;
          next[kept + 2] = begin + first;
          next[kept + 3] = n - first;
          kept += 4;
        }
      }
      [areas, next] = [next, areas];
      length = kept;
      level -= halved;
      halved ^= 1;
    }
  }

  /**
   * Decodes how many of n Gaussians are in the first half of an area.
   * @param {Stream} stream
   * @param {number} n
   * @param {boolean} border
   */
  #split(stream, n, border) {
    const row = border ? BORDER : 0;
    if (n <= MOST_COUNTED) return stream.code(SPLIT + row + n - 1);
    const part = stream.code(SIXTEENTH + row);
    const low = Math.ceil((part * (n + 1)) / 16);
    const limit = Math.ceil(((part + 1) * (n + 1)) / 16) - low;
    if (limit === 1) return low;
    const bits = 32 - Math.clz32(limit - 1);
    const short = 2 ** bits - limit;
    const head = stream.raw(bits - 1);
    return low + (head < short ? head : 2 * head + stream.raw(1) - short);
  }

  /**
   * @param {Uint8Array} data
   * @param {Levels} levels
   */
  #colors(data, levels) {
    const { channels } = this.#header;
    const { classes, colors } = levels;
    const n = classes.length;
    const stream = new Stream(data, this.#models, n < 64 ? 2 : 4);
    const set = this.#header.layers === 1 ? 3 : Math.min(this.#layer, 2);
    for (let i = 0; i < n; i++) {
      if (i > 0 && classes[i] !== classes[i - 1]) stream.startPlane();
      colors[channels * i] = stream.code(LUMA + 16 * set + classes[i]);
    }
    if (channels >= 3) {
      stream.startPlane();
      const quarter = Math.ceil(n / 4);
      for (let k = 0; k < quarter; k++) {
        const end = Math.min(n, 3 * quarter + k + 1);
        for (let i = k; i < end; i += quarter) {
          let before = 0;
          if (k > 0 && classes[i] === classes[i - 1]) {
            const at = channels * (i - 1);
            const sum = Math.min(colors[at + 1], 7) + Math.min(colors[at + 2], 7);
            before = +(sum >= 1) + +(sum >= 3) + +(sum >= 7);
          }
          const luma = LUMA_LEVEL[colors[channels * i]];
          colors[channels * i + 1] = stream.code(CHROMA + 16 * set + 4 * luma + before);
        }
        for (let i = k; i < end; i += quarter) {
          const at = channels * i;
          const context = 4 * CHROMA_LEVEL[colors[at + 1]] + LUMA_LEVEL[colors[at]];
          colors[at + 2] = stream.code(SECOND_CHROMA + context);
        }
      }
    }
    if (channels % 2 === 0) {
      stream.startPlane();
      for (let at = 0; at < channels * n; at += channels) {
        colors[at + channels - 1] = stream.code(ALPHA + LUMA_LEVEL[colors[at]]);
      }
    }
    for (let at = 0; at < channels * n; at += channels) stream.rest(colors, at, at + channels);
    return stream.endedCleanly();
  }

  /**
   * @param {Uint8Array} data
   * @param {Levels} levels
   */
  #shapes(data, levels) {
    const steps = this.#steps;
    const { channels } = this.#header;
    const { classes, colors, shapes } = levels;
    const n = classes.length;
    const stream = new Stream(data, this.#models, n < 64 ? 2 : 4);
    const amplitudes = new Uint8Array(n);
    const further = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      amplitudes[i] = amplitude(colors, channels * i, channels * (i + 1));
      shapes[3 * i] = stream.code(SIZE + amplitudes[i]);
    }
    stream.startPlane();
    for (let i = 0; i < n; i++) {
      if (shapes[3 * i] === 0) further[i] = stream.code(SIZE_BELOW);
      if (shapes[3 * i] === 15) further[i] = stream.code(SIZE_ABOVE);
    }
    stream.startPlane();
    for (let i = 0; i < n; i++) {
      shapes[3 * i + 1] = stream.code(SHEAR + amplitudes[i]);
      shapes[3 * i + 2] = stream.code(SECOND_SHEAR + amplitudes[i]);
    }
    for (let i = 0; i < n; i++) {
      const a = amplitudes[i];
      const step = steps[a];
      const symbol = shapes[3 * i];
      const size = 0.6931471805599453 * (classes[i] - 4 + 0.5 * a);
      let level = Math.floor(size / step + 0.5) + symbol - 8;
      if (symbol === 0) level -= stream.natural(further[i]);
      if (symbol === 15) level += stream.natural(further[i]);
      shapes[3 * i] = level;
      stream.rest(shapes, 3 * i + 1, 3 * i + 3);
      const s = level * step;
      const d1 = shapes[3 * i + 1] * step;
      const d2 = shapes[3 * i + 2] * step;
      if (!(s >= -7 && s <= 14 && d1 * d1 + d2 * d2 <= 49)) return false;
    }
    return stream.endedCleanly();
  }

  /**
   * Turns the integers of a layer into numbers (4.6), from place `begin` of a picture on.
   * @param {Levels} levels
   * @param {Picture} picture
   * @param {number} begin
   * @returns {number} the work of all layers so far, in blocks
   */
  dequantize(levels, picture, begin) {
    const { channels } = this.#header;
    const { means, cholesky, colors } = picture;
    const { classes, x, y, colors: color, shapes } = levels;
    for (let i = 0; i < classes.length; i++) {
      const at = begin + i;
      const cell = POWERS[64 + classes[i] - 4];
      means[2 * at] = (x[i] + 0.5) * cell;
      means[2 * at + 1] = (y[i] + 0.5) * cell;
      const step = this.#steps[amplitude(color, channels * i, channels * (i + 1))];
      const d1 = shapes[3 * i + 1] * step;
      const d2 = shapes[3 * i + 2] * step;
      const size = exp(shapes[3 * i] * step);
      const area = size * size;
      const r = Math.sqrt(d1 * d1 + d2 * d2);
      let xx = 1;
      let slope = 2;
      if (r !== 0) {
        const up = exp(2 * r);
        const down = 1 / up;
        const larger = r + Math.abs(d1);
        const smaller = (d2 * d2) / larger;
        xx = (d1 > 0 ? up * larger + down * smaller : up * smaller + down * larger) / (2 * r);
        slope = (up - down) / (2 * r);
      }
      const l11 = size * Math.sqrt(xx);
      cholesky[3 * at] = l11;
      cholesky[3 * at + 1] = (area * slope * d2) / l11;
      cholesky[3 * at + 2] = area / l11;
      const scale = this.#colorStep / (1.7724538509055159 * size);
      const from = channels * i;
      const to = channels * at;
      if (channels >= 3) {
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
      this.#work += this.#blocks(means, cholesky, at);
    }
    return this.#work;
  }

  /**
   * Returns the work of a Gaussian (section 2), less a millionth of its lengths.
   * @param {Float64Array} means
   * @param {Float64Array} cholesky
   * @param {number} at
   */
  #blocks(means, cholesky, at) {
    const { height, width, qMax } = this.#header;
    const x = means[2 * at];
    const y = means[2 * at + 1];
    const l11 = cholesky[3 * at];
    const l21 = cholesky[3 * at + 1];
    const l22 = cholesky[3 * at + 2];
    if (!(l11 > 1e-6 && l22 > 1e-6)) return 64;
    const k = Math.sqrt(2 * qMax);
    const left = Math.floor((x - k * l11 - 0.5 - 0.001) / 8);
    const right = Math.floor((x + k * l11 - 0.5 + 0.001) / 8) + 1;
    const least = 1 - 1e-6;
    const reach = k * Math.sqrt(l21 * l21 + l22 * l22) * least;
    const top = Math.min(Math.max(Math.floor(y - reach), 0), height);
    const bottom = Math.min(Math.max(Math.ceil(y + reach), 0), height);
    const columns = Math.min(right, Math.ceil(width / 8)) - Math.max(left, 0);
    if (columns <= 0 || bottom <= top) return 64;
    const here = Math.floor((7 * Math.abs(l21 / l11) + 2 * k * l22) * least) + 2;
    return 64 + columns * (16 + Math.min(bottom - top, here));
  }
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
  if (data.length === 1) return data[0] > 2 ? null : new Uint8Array(height * width).fill(data[0]);
  const single = unpack(ALPHA_PIXEL_WEIGHTS);
  // Two neighboring models of pixels start from the same weights.
  const doubled = Array.from({ length: 1944 }, (_, i) => single[3 * Math.floor(i / 6) + (i % 3)]);
  const sizes = Array.from({ length: 664 }, (_, i) => (i < 16 ? 4 : 3));
  const models = new Models(sizes, unpack(ALPHA_BLOCK_WEIGHTS).concat(doubled), ALPHA_CONFIDENCE);
  const stream = new Stream(data, models, 2, [1]);
  const columns = Math.ceil(width / 8);
  const kinds = new Uint8Array(columns * Math.ceil(height / 8));
  for (let i = 0; i < kinds.length; i++) {
    const left = i % columns ? kinds[i - 1] : 0;
    kinds[i] = stream.code(4 * left + (i >= columns ? kinds[i - columns] : 0));
  }
  const map = new Uint8Array(height * width);
  // Three rows with two entries of class 0 before and behind.
  let twoAbove = new Uint8Array(width + 4);
  let above = new Uint8Array(width + 4);
  let here = new Uint8Array(width + 4);
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
      here[x + 2] = stream.code(16 + context);
    }
    map.set(here.subarray(2, width + 2), y * width);
    [twoAbove, above, here] = [above, here, twoAbove];
  }
  return stream.endedCleanly() ? map : null;
}
