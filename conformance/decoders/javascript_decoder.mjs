// The decoder in JavaScript, for conformance/run.py. It reads no files of the paper's profile, does
// not tell the integers of tiled files, and draws 8 bits.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadPicture } from '../../src/gaussianimage/web/gimg/client.js';
import { drawPixels } from '../../src/gaussianimage/web/gimg/cpu.js';
import { GimgError, decode, readMetadata } from '../../src/gaussianimage/web/gimg/gimg.js';
import { addGrain, readGrain } from '../../src/gaussianimage/web/gimg/grain.js';
import { wholeView } from '../../src/gaussianimage/web/gimg/view.js';

const KINDS = ['GRAYSCALE', 'GRAYSCALE_ALPHA', 'RGB', 'RGB_ALPHA'];

async function metadata(picture) {
  let text = '';
  for (const type of [...picture.chunks.keys()].sort()) {
    if (type === 'gRAN') continue;
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

function pixels(picture, grain) {
  const { height, width, channels } = picture.header;
  const rgba = drawPixels(picture, wholeView(picture, width, height));
  if (grain) addGrain(grain, rgba, { left: 0, top: 0, width, height }, height, width, picture.header);
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

// Returns the Gaussians of all tiles as one picture of the nominal size.
async function allTiles({ tiles, header }) {
  const { width, height } = header;
  const view = { left: 0, top: 0, width, height, scaleX: 1, scaleY: 1 };
  let damage = null;
  tiles.addEventListener('error', ({ detail }) => (damage ??= detail));
  await tiles.load(view);
  if (damage) throw damage;
  return tiles.compose(view).picture;
}

async function answer(what, input) {
  const bytes = readFileSync(input);
  const partial = what === 'partial';
  let picture;
  try {
    picture = decode(bytes, { levels: what === 'integers', partial });
  } catch (error) {
    if (error.kind !== 'unsupported' || !error.message.includes('TIDX')) throw error;
    picture = await loadPicture(bytes);
  }
  if (partial) return numbers(picture);
  const found = await metadata(picture);
  const grain = readGrain(picture);
  if (what === 'metadata') return found;
  if (picture.tiles) {
    picture = await allTiles(picture);
    if (what === 'integers') return null;
  }
  if (what === 'integers') return integers(picture);
  return what === 'numbers' ? numbers(picture) : pixels(picture, what === 'grain' ? grain : null);
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
