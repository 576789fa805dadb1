// Finishes drawn pixels for fuzz/targets/javascript_finish.py: adds the grain of a file, and converts
// the colors by its profile.
import { finishPixels, readFinish } from '../../src/gaussianimage/web/gimg/finish.js';
import { decode } from '../../src/gaussianimage/web/gimg/gimg.js';
import { base64, serve } from './serving.mjs';

const { limits } = JSON.parse(process.argv[2]);

serve(async (bytes, smooth, view) => {
  const picture = decode(bytes, { limits });
  const finish = await readFinish(picture);
  const { grain, conversion, notice } = finish;
  const pixels = new Uint8ClampedArray(smooth);
  if (smooth.length) {
    const part = JSON.parse(Buffer.from(view).toString());
    finishPixels(finish, pixels, picture, part, true);
  }
  return { grain: grain && grain.levels.length, conversion: !!conversion, notice, pixels: base64(pixels) };
});
