// Decodes files from stdin for fuzz/targets/javascript.py: each comes as its length, 4 bytes in
// little-endian order, and its bytes. The answer is a line of JSON.
import { createHash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { drawPixels } from '../../src/gaussianimage/web/gimg/cpu.js';
import { GimgError, decode } from '../../src/gaussianimage/web/gimg/gimg.js';
import { wholeView } from '../../src/gaussianimage/web/gimg/view.js';

const limits = JSON.parse(process.argv[2]);

function take(count) {
  const bytes = Buffer.alloc(count);
  for (let have = 0; have < count; ) {
    const got = readSync(0, bytes, have, count - have, null);
    if (got === 0) process.exit(0);
    have += got;
  }
  return bytes;
}

const digest = (array, length) =>
  createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT))
    .digest('hex');

function answer(bytes) {
  try {
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
      pixels: Buffer.from(drawPixels(picture, wholeView(picture, width, height))).toString(
        'base64',
      ),
    };
  } catch (error) {
    if (!(error instanceof GimgError)) return { crash: String(error.stack) };
    return { error: error.kind, message: error.message };
  }
}

for (;;) {
  const bytes = take(take(4).readUInt32LE(0));
  writeSync(1, `${JSON.stringify(answer(new Uint8Array(bytes)))}\n`);
}
