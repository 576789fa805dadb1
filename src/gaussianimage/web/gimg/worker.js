/**
 * Decodes and draws in a worker, so that a page never waits. `client.js` speaks to it.
 *
 * Every message has the `id` of a picture. The worker answers each with `ready` or `error`, and tells
 * `header`, `layers` and `drawn` on the way. `share` gives it a picture that is decoded already.
 */
import { drawPixels } from './cpu.js';
import { Decoder, GimgError, Picture } from './gimg.js';

/** @typedef {import('./view.js').View} View */

/** @param {any} scope of the worker */
export function serveWorker(scope) {
  /** @type {Map<number, {decoder: Decoder, told: number}>} */
  const open = new Map();
  /** @type {Map<number, Picture>} */
  const shared = new Map();

  /**
   * @param {number} id
   * @param {{decoder: Decoder, told: number}} entry
   */
  function tellNews(id, entry) {
    const { picture } = entry.decoder;
    if (!picture) return;
    if (entry.told < 0) {
      const { header, alpha } = picture;
      scope.postMessage({ id, type: 'header', header, alpha });
      entry.told = 0;
    }
    if (entry.told < picture.count || picture.complete) {
      entry.told = picture.count;
      const { layers, count, bytes, complete, chunks } = picture;
      const means = picture.means.slice(0, 2 * count);
      const cholesky = picture.cholesky.slice(0, 3 * count);
      const colors = picture.colors.slice(0, picture.header.channels * count);
      const news = { layers, count, bytes, complete, chunks, means, cholesky, colors };
      const arrays = [means.buffer, cholesky.buffer, colors.buffer];
      scope.postMessage({ id, type: 'layers', news }, arrays);
    }
  }

  /** @param {any} message */
  function answer(message) {
    const { id, type } = message;
    if (type === 'open') {
      open.set(id, { decoder: new Decoder({ limits: message.limits }), told: -1 });
      return;
    }
    if (type === 'share') {
      const picture = Object.assign(new Picture(message.shared.header), message.shared);
      shared.set(id, picture);
      return;
    }
    if (type === 'close') {
      open.delete(id);
      shared.delete(id);
      return;
    }
    const entry = open.get(id);
    if (type === 'draw') {
      const { view, count, job } = message;
      const picture = shared.get(id) ?? entry?.decoder.picture;
      if (!picture) return;
      const pixels = drawPixels(picture, view, Math.min(count, picture.count));
      scope.postMessage({ id, type: 'drawn', job, pixels }, [pixels.buffer]);
    } else if (entry) {
      try {
        if (type === 'push') entry.decoder.push(message.bytes);
        else entry.decoder.finish();
      } finally {
        tellNews(id, entry);
      }
    }
  }

  scope.onmessage = (/** @type {MessageEvent} */ event) => {
    const { id, job } = event.data;
    try {
      answer(event.data);
      scope.postMessage({ id, type: 'ready', what: event.data.type });
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      const known = error instanceof GimgError;
      const kind = known ? error.kind : 'limit';
      const offset = known ? error.offset : null;
      scope.postMessage({ id, type: 'error', job, kind, message, offset });
    }
  };
}

if (typeof document === 'undefined' && typeof (/** @type {any} */ (globalThis).importScripts) === 'function') {
  serveWorker(globalThis);
}
