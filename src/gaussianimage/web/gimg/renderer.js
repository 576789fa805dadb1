/**
 * Chooses how to draw: by WebGL2 on a GPU, else on the CPU. A WebGL2 that itself runs on the CPU is
 * slower than drawing there, so it is not taken.
 */
import { drawPicture } from './client.js';
import { WebGlRenderer } from './webgl.js';

/** @typedef {import('./gimg.js').Picture} Picture */
/** @typedef {import('./view.js').View} View */
/** @typedef {'webgl2' | 'cpu'} RendererName */

/** @type {WebGlRenderer | null | undefined} undefined before the first use, null if there is none */
let sharedRenderer;
/** @type {RendererName | null} */
let wanted = null;

/**
 * Makes all pages of this script draw in one way, whatever is faster.
 * @param {RendererName | null} name null chooses again
 */
export function chooseRenderer(name) {
  wanted = name;
  sharedRenderer?.close();
  sharedRenderer = undefined;
}

/**
 * Returns how pictures are drawn here.
 * @returns {RendererName}
 */
export function rendererName() {
  return findRenderer() ? 'webgl2' : 'cpu';
}

function findRenderer() {
  if (sharedRenderer?.lost) sharedRenderer = undefined;
  if (sharedRenderer === undefined) {
    try {
      if (wanted === 'cpu') throw new Error('the CPU is wanted');
      sharedRenderer = new WebGlRenderer(document.createElement('canvas'), wanted !== 'webgl2');
    } catch {
      sharedRenderer = null;
    }
  }
  return sharedRenderer;
}

/** @typedef {import('./finish.js').Finish} Finish */

/** @type {WeakMap<Picture, {chunks: number, finish: Promise<Finish | null>}>} */
const finishes = new WeakMap();

/**
 * Returns what is done to the pixels of a picture, or null.
 * @param {Picture} picture
 * @returns {Promise<Finish | null>}
 */
export async function finishOf(picture) {
  const { chunks } = picture;
  if (!chunks.has('gRAN') && !chunks.has('iCCP')) return null;
  let known = finishes.get(picture);
  if (known?.chunks !== chunks.size) {
    const finish = import('./finish.js')
      .then(({ readFinish }) => readFinish(picture))
      .catch(() => null);
    known = { chunks: chunks.size, finish };
    finishes.set(picture, known);
  }
  return known.finish;
}

/**
 * Draws a part of a picture onto a canvas, with its top left corner at (x, y).
 * @param {CanvasRenderingContext2D} context
 * @param {Picture} picture
 * @param {View} view
 * @param {number} count of the first Gaussians to draw
 * @param {number} x
 * @param {number} y
 * @param {boolean} [grain] whether to add the picture's grain
 * @returns {Promise<RendererName>} how it was drawn
 */
export async function drawOnto(context, picture, view, count, x, y, grain = true) {
  const finish = await finishOf(picture);
  const module = finish && (await import('./finish.js'));
  const whole = picture.complete && count === picture.header.gaussians;
  const from = picture.tiles ? picture.tiles.compose(view) : { picture, view };
  const drawn = picture.tiles ? from.picture.count : count;
  const renderer = findRenderer();
  if (renderer) {
    try {
      renderer.draw(from.picture, from.view, drawn);
      context.clearRect(x, y, view.width, view.height);
      context.drawImage(renderer.canvas, x, y);
      if (finish && module) {
        const pixels = context.getImageData(x, y, view.width, view.height);
        module.finishPixels(finish, pixels.data, picture, view, grain && whole);
        context.putImageData(pixels, x, y);
      }
      return 'webgl2';
    } catch {
      // The picture is too much for this GPU, or the browser took it away.
    }
  }
  const pixels = await drawPicture(from.picture, from.view, drawn);
  if (finish && module) module.finishPixels(finish, pixels.data, picture, view, grain && whole);
  context.putImageData(pixels, x, y);
  return 'cpu';
}
