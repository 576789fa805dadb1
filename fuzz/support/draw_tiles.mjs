// Draws tiled files for fuzz/targets/javascript_tiled.py: the whole picture, at its nominal size if
// that is small, and then a part of it, for which tiles are kept or come anew.
import { loadPicture } from '../../src/gaussianimage/web/gimg/client.js';
import { drawPixels } from '../../src/gaussianimage/web/gimg/cpu.js';
import { GimgError } from '../../src/gaussianimage/web/gimg/gimg.js';
import { wholeView } from '../../src/gaussianimage/web/gimg/view.js';
import { base64, serve } from './serving.mjs';

const { maxPixels, small } = JSON.parse(process.argv[2]);

async function draw(picture, view) {
  await picture.tiles.load(view);
  const part = picture.tiles.compose(view);
  const { count, colors, header } = part.picture;
  const used = colors.subarray(0, header.channels * count);
  const largest = used.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { count, largest, pixels: base64(drawPixels(part.picture, part.view)) };
}

serve(async (bytes) => {
  let damage = null;
  const picture = await loadPicture(bytes).catch((error) => {
    // What can be read of a file with a wrong end comes with the error.
    if (!(error instanceof GimgError) || !error.picture?.tiles) throw error;
    damage = error.message;
    return error.picture;
  });
  if (!picture.tiles) return { plain: true };
  const errors = [];
  picture.tiles.addEventListener('error', ({ detail }) => errors.push([detail.kind, detail.message]));
  const { width, height } = picture.header;
  const by = width * height > maxPixels ? small / Math.max(width, height) : 1;
  const size = [width, height].map((side) => Math.max(1, Math.round(by * side)));
  const whole = await draw(picture, wholeView(picture, ...size));
  const part = await draw(picture, {
    left: width / 3,
    top: height / 4,
    width: small,
    height: small,
    scaleX: 1.5,
    scaleY: 0.7,
  });
  return { damage, errors, nominal: by === 1, whole, part: part.count };
});
