/**
 * Places the Gaussians of a picture on a canvas: scaled, blurred where the picture shrinks, and only
 * those that the canvas shows. Both renderers draw what `placeGaussians` returns.
 */

/** @typedef {import('./gimg.js').AlphaPlace} AlphaPlace */
/** @typedef {import('./gimg.js').Picture} Picture */

/**
 * @typedef {object} View
 * The part of a picture that a canvas shows. The center of the canvas's pixel (i, j) is at
 * (left + (i + 0.5) / scaleX, top + (j + 0.5) / scaleY) in the picture.
 * @property {number} width of the canvas in pixels
 * @property {number} height
 * @property {number} left where the canvas begins, in pixels of the picture
 * @property {number} top
 * @property {number} scaleX pixels of the canvas for a pixel of the picture
 * @property {number} scaleY
 */

/**
 * @typedef {object} Placed
 * The Gaussians that a canvas shows.
 * @property {number} count
 * @property {Uint32Array} index which Gaussian of the picture each one is
 * @property {Float64Array} shape mean x and y, l11, l21, l22 of each, in pixels of the canvas
 * @property {Float32Array} fade factor on the color of each
 * @property {number} pairs of a pixel and a Gaussian whose box it is in
 */

/**
 * The whole picture, drawn on a canvas of this size.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {View}
 */
export function wholeView(picture, width, height) {
  const { header } = picture;
  return {
    width,
    height,
    left: 0,
    top: 0,
    scaleX: width / header.width,
    scaleY: height / header.height,
  };
}

/**
 * Places the first `count` Gaussians of a picture.
 *
 * In a smaller picture each Gaussian gets the footprint of a pixel, of variance (1 - s^2) / 6 px^2,
 * and keeps its integral, as in the native decoder.
 * @param {Picture} picture
 * @param {View} view
 * @param {number} count
 * @returns {Placed}
 */
export function placeGaussians(picture, view, count) {
  const { means, cholesky, header } = picture;
  const { width, height, left, top, scaleX, scaleY } = view;
  const addX = Math.max(0, 1 - scaleX * scaleX) / 6;
  const addY = Math.max(0, 1 - scaleY * scaleY) / 6;
  const reach = Math.sqrt(2 * header.qMax);
  const index = new Uint32Array(count);
  const shape = new Float64Array(5 * count);
  const fade = new Float32Array(count).fill(1);
  let shown = 0;
  let pairs = 0;
  for (let i = 0; i < count; i++) {
    const x = (means[2 * i] - left) * scaleX;
    const y = (means[2 * i + 1] - top) * scaleY;
    let l11 = cholesky[3 * i] * scaleX;
    let l21 = cholesky[3 * i + 1] * scaleY;
    let l22 = cholesky[3 * i + 2] * scaleY;
    if (!(l11 > 1e-6 && l22 > 1e-6)) continue;
    if (addX > 0 || addY > 0) {
      const xx = l11 * l11 + addX;
      const m11 = Math.sqrt(xx);
      const m22 = Math.sqrt(l22 * l22 + addY + l21 * l21 * (addX / xx));
      fade[shown] = (l11 / m11) * (l22 / m22);
      l21 = (l11 * l21) / m11;
      l11 = m11;
      l22 = m22;
    }
    const reachX = reach * l11;
    if (x + reachX < 0 || x - reachX > width) continue;
    const reachY = reach * Math.sqrt(l21 * l21 + l22 * l22);
    if (y + reachY < 0 || y - reachY > height) continue;
    pairs +=
      (Math.min(x + reachX, width) - Math.max(x - reachX, 0)) *
      (Math.min(y + reachY, height) - Math.max(y - reachY, 0));
    index[shown] = i;
    shape.set([x, y, l11, l21, l22], 5 * shown);
    shown++;
  }
  return { count: shown, index, shape, fade, pairs };
}

/**
 * Returns where a canvas is on a map of alpha, in pixels of the map before it was reduced.
 * @param {AlphaPlace} place
 * @param {View} view
 */
export function placeOnMap(place, view) {
  return {
    left: view.left * place.stretchX - place.left,
    top: view.top * place.stretchY - place.top,
    scaleX: view.scaleX / place.stretchX,
    scaleY: view.scaleY / place.stretchY,
  };
}

/**
 * Returns, for each column of the canvas, the first column of the map of alpha under its footprint
 * and the one behind the last (docs/format.md, 4.9), and the same for rows. Of a reduced map these are
 * all that have a part under the footprint.
 * @param {AlphaPlace} place
 * @param {View} view
 */
export function footprints(place, view) {
  const { left, top, scaleX, scaleY } = placeOnMap(place, view);
  /** @type {(drawn: number, start: number, scale: number, size: number) => Int32Array} */
  const along = (drawn, start, scale, size) => {
    const reach = Math.max(1, 1 / scale) - 1e-9;
    const found = new Int32Array(2 * drawn);
    for (let i = 0; i < drawn; i++) {
      const center = start + (i + 0.5) / scale - 0.5;
      const first = Math.min(size, Math.max(0, Math.ceil(center - reach)));
      const end = Math.max(first, Math.min(size, Math.floor(center + reach) + 1));
      found[2 * i] = first < end ? Math.floor(first / place.scale) : Math.ceil(first / place.scale);
      found[2 * i + 1] = Math.ceil(end / place.scale);
    }
    return found;
  };
  return {
    columns: along(view.width, left, scaleX, place.width),
    rows: along(view.height, top, scaleY, place.height),
  };
}

/**
 * Returns the size of a map of alpha.
 * @param {AlphaPlace} place
 */
export function mapSize({ width, height, scale }) {
  return { columns: Math.ceil(width / scale), rows: Math.ceil(height / scale) };
}

/**
 * Returns the size of a box in device pixels.
 * @param {ResizeObserverEntry} entry
 */
export function devicePixels(entry) {
  const { inlineSize, blockSize } = entry.contentBoxSize[0];
  const width = Math.round(inlineSize * devicePixelRatio);
  const height = Math.round(blockSize * devicePixelRatio);
  const exact = entry.devicePixelContentBoxSize?.[0];
  // Browsers that emulate another screen give sizes in other pixels.
  const plausible = exact && Math.abs(exact.inlineSize - width) < 2;
  return plausible ? { width: exact.inlineSize, height: exact.blockSize } : { width, height };
}
