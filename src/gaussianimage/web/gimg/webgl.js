/**
 * Draws a picture by WebGL2: a fragment shader gathers, for each pixel, the Gaussians of its tile and
 * sums them in 32-bit floats. No float target and no blending is needed, and no sum is rounded to 16
 * bits.
 */
import { mapSize, placeGaussians, placeOnMap } from './view.js';

/** @typedef {import('./gimg.js').Picture} Picture */
/** @typedef {import('./view.js').View} View */
/** @typedef {import('./view.js').Placed} Placed */

const ROW = 1024;
const ROW_BITS = 10;
/** More pairs of a pixel and a Gaussian in one frame could keep a small GPU busy for seconds. */
const MOST_PAIRS = 2 ** 31;

/**
 * A Gaussian ends over 1 / EDGE of the exponent, not at once. Single precision does not tell on which
 * side of the edge a pixel so near to it lies, so it gets a part of what it may gain or lose there.
 */
const EDGE = 200_000;

/** What the names of drivers have in them that run on the CPU. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

const VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
precision highp sampler2D;
uniform sampler2D numbers;
uniform usampler2D lists;
uniform usampler2D tiles;
uniform usampler2D classes;
uniform int tile_bits;
uniform int height;
uniform float q_max;
uniform vec4 background;
uniform int kind;
uniform vec4 map_place;
uniform ivec3 map_size;
out vec4 result;

uint class_here(vec2 p) {
  vec2 center = map_place.xy + p / map_place.zw - 0.5;
  vec2 reach = max(vec2(1.0), 1.0 / map_place.zw) - 1e-4;
  ivec2 low = max(ivec2(0), ivec2(ceil(center - reach)));
  ivec2 high = min(map_size.xy - 1, ivec2(floor(center + reach)));
  if (any(lessThan(high, low))) return 3u;
  low /= map_size.z;
  high /= map_size.z;
  uint found = texelFetch(classes, low, 0).r;
  ivec2 by = max(ivec2(1), (high - low) / 16);
  for (int y = low.y; y <= high.y; y += by.y)
    for (int x = low.x; x <= high.x; x += by.x)
      if (texelFetch(classes, ivec2(x, y), 0).r != found) return 3u;
  return found;
}

void main() {
  vec2 p = vec2(gl_FragCoord.x, float(height) - gl_FragCoord.y);
  uvec2 list = texelFetch(tiles, ivec2(p) >> tile_bits, 0).rg;
  vec4 sum = background;
  for (uint i = list.x; i < list.x + list.y; i++) {
    int k = 3 * int(texelFetch(lists, ivec2(i & ${ROW - 1}u, i >> ${ROW_BITS}), 0).r);
    vec4 shape = texelFetch(numbers, ivec2(k & ${ROW - 1}, k >> ${ROW_BITS}), 0);
    k++;
    vec3 rest = texelFetch(numbers, ivec2(k & ${ROW - 1}, k >> ${ROW_BITS}), 0).xyz;
    vec2 d = (p - shape.xy) - rest.yz;
    float z1 = d.x * shape.z;
    float z2 = d.y * shape.w - z1 * rest.x;
    float q = 0.5 * (z1 * z1 + z2 * z2);
    float inside = clamp((q_max - q) * ${EDGE}.0 + 0.5, 0.0, 1.0);
    if (inside > 0.0) {
      k++;
      sum += inside * exp(-q) * texelFetch(numbers, ivec2(k & ${ROW - 1}, k >> ${ROW_BITS}), 0);
    }
  }
  sum = clamp(sum, 0.0, 1.0);
  if (kind == 0) {
    result = vec4(sum.rgb, 1.0);
    return;
  }
  float alpha = sum.a;
  float divisor = floor(alpha * 255.0 + 0.5) > 0.0 ? alpha : 0.0;
  if (kind == 2) {
    uint found = class_here(p);
    if (found == 0u) alpha = divisor = 0.0;
    if (found == 1u) alpha = divisor = 1.0;
    if (found == 2u) alpha = divisor = clamp(alpha, 1.0 / 255.0, 254.0 / 255.0);
  }
  vec3 color = divisor > 0.0 ? clamp(sum.rgb / divisor, 0.0, 1.0) : vec3(0.0);
  result = vec4(color * alpha, alpha);
}`;

/**
 * @typedef {object} TileLists
 * @property {Uint32Array} lists the Gaussians of all tiles, one tile after another
 * @property {Uint32Array} tiles where each tile's list begins, and its length
 * @property {number} columns number of tiles in a row
 * @property {number} rows
 * @property {number} bits the side of a tile is 2 ** bits pixels
 */

/**
 * Lists the Gaussians that touch each tile.
 * @param {Placed} placed
 * @param {View} view
 * @param {number} reach
 * @returns {TileLists}
 */
export function listTiles(placed, view, reach) {
  const bits = view.width * view.height > 2 ** 20 ? 5 : 4;
  const side = 2 ** bits;
  const columns = Math.ceil(view.width / side);
  const rows = Math.ceil(view.height / side);
  const { shape } = placed;
  const tiles = new Uint32Array(2 * columns * rows);
  // Spans of tiles, three numbers each: Gaussian, first tile, number of tiles.
  let spans = new Uint32Array(12 * placed.count + 48);
  let used = 0;
  for (let k = 0; k < placed.count; k++) {
    const at = 5 * k;
    const [x, y, l11] = [shape[at], shape[at + 1], shape[at + 2]];
    const [l21, l22] = [shape[at + 3], shape[at + 4]];
    const slope = l21 / l22;
    const curve = 1 + slope * slope;
    const reachY = reach * Math.sqrt(l21 * l21 + l22 * l22);
    const first = Math.max(0, Math.floor((y - reachY) / side));
    const last = Math.min(rows - 1, Math.floor((y + reachY) / side));
    for (let row = first; row <= last; row++) {
      // The ellipse is widest to the right at the height reach * l21 from its center.
      const above = Math.max(row * side - y, -reachY);
      const below = Math.min((row + 1) * side - y, reachY);
      const right = Math.min(Math.max(reach * l21, above), below);
      const left = Math.min(Math.max(-reach * l21, above), below);
      const zr = right / l22;
      const zl = left / l22;
      const halfR = Math.sqrt(Math.max(0, reach * reach - (zr * zr) / curve) / curve);
      const halfL = Math.sqrt(Math.max(0, reach * reach - (zl * zl) / curve) / curve);
      const to = x + l11 * ((zr * slope) / curve + halfR) + 0.01;
      const from = x + l11 * ((zl * slope) / curve - halfL) - 0.01;
      const begin = Math.max(0, Math.floor(from / side));
      const end = Math.min(columns - 1, Math.floor(to / side));
      if (begin > end) continue;
      if (used + 3 > spans.length) {
        const more = new Uint32Array(2 * spans.length);
        more.set(spans);
        spans = more;
      }
      spans[used] = k;
      spans[used + 1] = row * columns + begin;
      spans[used + 2] = end - begin + 1;
      used += 3;
      for (let t = row * columns + begin; t <= row * columns + end; t++) tiles[2 * t + 1]++;
    }
  }
  let total = 0;
  for (let t = 0; t < columns * rows; t++) {
    tiles[2 * t] = total;
    total += tiles[2 * t + 1];
  }
  const lists = new Uint32Array(Math.max(ROW, Math.ceil(total / ROW) * ROW));
  const next = new Uint32Array(columns * rows);
  for (let t = 0; t < next.length; t++) next[t] = tiles[2 * t];
  for (let s = 0; s < used; s += 3) {
    const end = spans[s + 1] + spans[s + 2];
    for (let t = spans[s + 1]; t < end; t++) lists[next[t]++] = spans[s];
  }
  return { lists, tiles, columns, rows, bits };
}

/** Draws one picture on one canvas. */
export class WebGlRenderer {
  #gl;
  #program;
  /** @type {Map<string, WebGLUniformLocation | null>} */
  #places = new Map();
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Map<string, WebGLTexture>} */
  #textures = new Map();

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {boolean} [fastOnly] refuse a WebGL2 that runs on the CPU
   * @throws {Error} there is no WebGL2
   */
  constructor(canvas, fastOnly = false) {
    this.canvas = canvas;
    const gl = /** @type {WebGL2RenderingContext | null} */ (
      canvas.getContext('webgl2', {
        antialias: false,
        depth: false,
        failIfMajorPerformanceCaveat: fastOnly,
      })
    );
    if (!gl) throw new Error('WebGL2 is not available');
    if (fastOnly && SOFTWARE.test(deviceName(gl))) throw new Error('WebGL2 runs on the CPU');
    this.#gl = gl;
    this.#program = linkProgram(gl);
    gl.disable(gl.DITHER);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.useProgram(this.#program);
    ['numbers', 'lists', 'tiles', 'classes'].forEach((name, unit) => {
      gl.uniform1i(this.#place(name), unit);
      gl.activeTexture(gl.TEXTURE0 + unit);
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
      }
      this.#textures.set(name, texture);
    });
  }

  /** Whether the browser took the context away. */
  get lost() {
    return this.#gl.isContextLost();
  }

  /** Gives the context back to the browser. */
  close() {
    this.#gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  /**
   * Draws the first `count` Gaussians; the canvas takes the view's size.
   * @param {Picture} picture
   * @param {View} view
   * @param {number} [count]
   * @throws {Error} the GPU cannot draw this
   */
  draw(picture, view, count = picture.count) {
    const gl = this.#gl;
    if (this.lost) throw new Error('the browser took the GPU away');
    const { header, alpha, alphaPlace } = picture;
    const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    const placed = placeGaussians(picture, view, count);
    if (placed.pairs > MOST_PAIRS) throw new Error('the picture is too much for the GPU');
    const lists = listTiles(placed, view, Math.sqrt(2 * header.qMax));
    const pairs = lists.lists.length * 4 ** lists.bits;
    const map = alpha ? mapSize(alphaPlace) : { columns: 1, rows: 1 };
    const largest = Math.max(view.width, view.height, map.columns, map.rows);
    if (pairs > MOST_PAIRS || largest > most || lists.lists.length > most * ROW) {
      throw new Error('the picture is too much for the GPU');
    }
    if (this.canvas.width !== view.width || this.canvas.height !== view.height) {
      this.canvas.width = view.width;
      this.canvas.height = view.height;
    }
    if (gl.drawingBufferWidth !== view.width || gl.drawingBufferHeight !== view.height) {
      throw new Error('the canvas is too large for the GPU');
    }
    gl.viewport(0, 0, view.width, view.height);
    const numbers = packNumbers(picture, placed);
    this.#upload('numbers', gl.RGBA32F, ROW, numbers.length / (4 * ROW), gl.RGBA, gl.FLOAT, numbers);
    const { lists: list, tiles, columns, rows } = lists;
    this.#upload('lists', gl.R32UI, ROW, list.length / ROW, gl.RED_INTEGER, gl.UNSIGNED_INT, list);
    this.#upload('tiles', gl.RG32UI, columns, rows, gl.RG_INTEGER, gl.UNSIGNED_INT, tiles);
    if (this.#picture !== picture) {
      const classes = alpha ?? new Uint8Array(1);
      this.#upload('classes', gl.R8UI, map.columns, map.rows, gl.RED_INTEGER, gl.UNSIGNED_BYTE, classes);
      this.#picture = picture;
    }
    gl.uniform1i(this.#place('tile_bits'), lists.bits);
    gl.uniform1i(this.#place('height'), view.height);
    gl.uniform1f(this.#place('q_max'), header.qMax);
    gl.uniform4fv(this.#place('background'), asRgba(header.background, 0, header.channels));
    gl.uniform1i(this.#place('kind'), alpha ? 2 : picture.hasAlpha ? 1 : 0);
    const { left, top, scaleX, scaleY } = placeOnMap(alphaPlace, view);
    gl.uniform4f(this.#place('map_place'), left, top, scaleX, scaleY);
    gl.uniform3i(this.#place('map_size'), alphaPlace.width, alphaPlace.height, alphaPlace.scale);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /**
   * Reads the pixels of the last drawing, right after it. Colors are multiplied by alpha.
   * @returns {Uint8Array} RGBA, from the top row down
   */
  readPixels() {
    const gl = this.#gl;
    const { width, height } = this.canvas;
    const turned = new Uint8Array(4 * width * height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, turned);
    const pixels = new Uint8Array(turned.length);
    for (let y = 0; y < height; y++) {
      const from = 4 * width * (height - 1 - y);
      pixels.set(turned.subarray(from, from + 4 * width), 4 * width * y);
    }
    return pixels;
  }

  /** @param {string} name */
  #place(name) {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.#gl.getUniformLocation(this.#program, name);
      this.#places.set(name, place);
    }
    return place;
  }

  /**
   * @param {string} name
   * @param {number} internal
   * @param {number} width
   * @param {number} height
   * @param {number} format
   * @param {number} type
   * @param {ArrayBufferView} data
   */
  #upload(name, internal, width, height, format, type, data) {
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + [...this.#textures.keys()].indexOf(name));
    gl.texImage2D(gl.TEXTURE_2D, 0, internal, width, height, 0, format, type, data);
  }
}

/** @param {WebGL2RenderingContext} gl */
function deviceName(gl) {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** @param {WebGL2RenderingContext} gl */
function linkProgram(gl) {
  const program = gl.createProgram();
  for (const [type, text] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(`the GPU's compiler refuses the shader: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}

/**
 * Returns three texels for each Gaussian: the pixel of its mean, 1 / l11, 1 / l22; l21 / l22, the mean
 * from this pixel on; and its color. The distance from a mean in two parts loses no digits.
 * @param {Picture} picture
 * @param {Placed} placed
 */
function packNumbers(picture, placed) {
  const { channels } = picture.header;
  const numbers = new Float32Array(Math.max(1, Math.ceil((3 * placed.count) / ROW)) * ROW * 4);
  for (let k = 0; k < placed.count; k++) {
    const from = 5 * k;
    const { shape } = placed;
    const l22 = shape[from + 4];
    const to = 12 * k;
    for (let axis = 0; axis < 2; axis++) {
      const whole = Math.round(shape[from + axis] - 0.5) + 0.5;
      numbers[to + axis] = whole;
      numbers[to + 5 + axis] = shape[from + axis] - whole;
    }
    numbers[to + 2] = 1 / shape[from + 2];
    numbers[to + 3] = 1 / l22;
    numbers[to + 4] = shape[from + 3] / l22;
    const color = channels * placed.index[k];
    const fade = placed.fade[k];
    for (let c = 0; c < 3; c++) {
      numbers[to + 8 + c] = picture.colors[color + (channels < 3 ? 0 : c)] * fade;
    }
    if (channels % 2 === 0) numbers[to + 11] = picture.colors[color + channels - 1] * fade;
  }
  return numbers;
}

/**
 * @param {ArrayLike<number>} values
 * @param {number} at
 * @param {number} channels
 */
function asRgba(values, at, channels) {
  const gray = channels < 3;
  const alpha = channels % 2 === 0 ? values[at + channels - 1] : 1;
  return [values[at], values[at + (gray ? 0 : 1)], values[at + (gray ? 0 : 2)], alpha];
}
