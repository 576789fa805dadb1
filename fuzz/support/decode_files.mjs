// Decodes and draws files for fuzz/targets/javascript.py.
import { createHash } from 'node:crypto';
import { drawPixels } from '../../src/gaussianimage/web/gimg/cpu.js';
import { decode } from '../../src/gaussianimage/web/gimg/gimg.js';
import { wholeView } from '../../src/gaussianimage/web/gimg/view.js';
import { base64, serve } from './serving.mjs';

const { limits } = JSON.parse(process.argv[2]);

const digest = (array, length) =>
  createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT))
    .digest('hex');

serve((bytes) => {
  const picture = decode(bytes, { limits });
  const { count, header } = picture;
  const { width, height } = header;
  return {
    count,
    means: digest(picture.means, 2 * count),
    cholesky: digest(picture.cholesky, 3 * count),
    colors: digest(picture.colors, header.channels * count),
    largest: picture.colors.subarray(0, header.channels * count)
      .reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    pixels: base64(drawPixels(picture, wholeView(picture, width, height))),
  };
});
