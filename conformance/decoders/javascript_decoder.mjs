// The decoder in JavaScript, for conformance/run.py. It reads no tiled files, none of the paper's
// profile and no grain, and draws 8 bits.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { drawPixels } from '../../src/gaussianimage/web/gimg/cpu.js';
import { GimgError, decode, readMetadata } from '../../src/gaussianimage/web/gimg/gimg.js';
import { wholeView } from '../../src/gaussianimage/web/gimg/view.js';

const KINDS = ['GRAYSCALE', 'GRAYSCALE_ALPHA', 'RGB', 'RGB_ALPHA'];

async function metadata(picture) {
  let text = '';
  for (const type of [...picture.chunks.keys()].sort()) {
    const data = await readMetadata(picture, type);
    text += `${type} ${Buffer.from(data).toString('hex')}\n`;
  }
  return Buffer.from(text);
}

function integers({ levels, header }) {
  const lines = [];
  for (const { classes, x, y, colors, shapes } of levels) {
    for (let i = 0; i < classes.length; i++) {
      const color = colors.subarray(header.channels * i, header.channels * (i + 1));
      const shape = shapes.subarray(3 * i, 3 * i + 3);
      lines.push([classes[i], x[i], y[i], ...color, ...shape].join(' ') + '\n');
    }
  }
  return Buffer.from(lines.join(''));
}

function numbers({ count, header, means, cholesky, colors }) {
  const bytes = (array, length) =>
    Buffer.from(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT);
  return Buffer.concat([
    bytes(means, 2 * count),
    bytes(cholesky, 3 * count),
    bytes(colors, header.channels * count),
  ]);
}

function pixels(picture) {
  const { height, width, channels } = picture.header;
  const rgba = drawPixels(picture, wholeView(picture, width, height));
  const from = [[0], [0, 3], [0, 1, 2], [0, 1, 2, 3]][channels - 1];
  const samples = Buffer.alloc(height * width * channels);
  for (let p = 0, at = 0; p < height * width; p++) {
    for (const channel of from) samples[at++] = rgba[4 * p + channel];
  }
  const head =
    `P7\nWIDTH ${width}\nHEIGHT ${height}\nDEPTH ${channels}\nMAXVAL 255\n` +
    `TUPLTYPE ${KINDS[channels - 1]}\nENDHDR\n`;
  return Buffer.concat([Buffer.from(head), samples]);
}

async function answer(what, input) {
  if (what === 'grain') return null;
  const options = { levels: what === 'integers', partial: what === 'partial' };
  const picture = decode(readFileSync(input), options);
  if (what === 'partial') return numbers(picture);
  const found = await metadata(picture);
  if (what === 'metadata') return found;
  if (what === 'integers') return integers(picture);
  return what === 'numbers' ? numbers(picture) : pixels(picture);
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, input, output] = line.split('\t');
  try {
    const data = await answer(what, input);
    if (data) writeFileSync(output, data);
    console.log(data ? 'ok' : 'skip');
  } catch (error) {
    if (!(error instanceof GimgError)) throw error;
    console.log(`error ${error.kind} ${error.message}`);
  }
}
