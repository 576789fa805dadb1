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

/**
 * Draws a part of a picture onto a canvas, with its top left corner at (x, y).
 * @param {CanvasRenderingContext2D} context
 * @param {Picture} picture
 * @param {View} view
 * @param {number} count of the first Gaussians to draw
 * @param {number} x
 * @param {number} y
 * @param {() => boolean} [wantedStill] whether the drawing is still wanted when it is ready
 * @returns {Promise<RendererName>} how it was drawn
 */
export async function drawOnto(context, picture, view, count, x, y, wantedStill = () => true) {
  const renderer = findRenderer();
  if (renderer) {
    try {
      renderer.draw(picture, view, count);
      context.clearRect(x, y, view.width, view.height);
      context.drawImage(renderer.canvas, x, y);
      return 'webgl2';
    } catch {
      // The picture is too much for this GPU, or the browser took it away.
    }
  }
  const pixels = await drawPicture(picture, view, count);
  if (wantedStill()) context.putImageData(pixels, x, y);
  return 'cpu';
}
