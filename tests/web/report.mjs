// Decodes the files that a JSON list on stdin names, and prints what was found as JSON lines.
//
// A request is {file, pieces, options}: `pieces` is how many bytes come at a time; 0 is all at once.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Decoder, GimgError, decode, readMetadata } from '../../src/gaussianimage/web/gimg/gimg.js';
import { readGrain } from '../../src/gaussianimage/web/gimg/grain.js';

const digest = (array, length) =>
  createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT))
    .digest('hex');

function inPieces(bytes, size, options) {
  const decoder = new Decoder(options);
  const grew = [];
  for (let i = 0; i < bytes.length; i += size) {
    decoder.push(bytes.subarray(i, i + size));
    const { picture } = decoder;
    if (picture && picture.count !== grew.at(-1)) grew.push(picture.count);
  }
  return [decoder.finish(), grew];
}

async function report({ file, pieces, options }) {
  const bytes = readFileSync(file);
  try {
    const [picture, grew] = pieces
      ? inPieces(bytes, pieces, options)
      : [decode(bytes, options), null];
    const { count } = picture;
    const metadata = {};
    const grain = readGrain(picture);
    for (const type of picture.chunks.keys()) {
      if (type === 'gRAN') continue;
      const data = await readMetadata(picture, type);
      metadata[type] = Buffer.from(data).toString('hex');
    }
    return {
      header: picture.header,
      layers: picture.layers,
      count,
      grew,
      metadata,
      means: digest(picture.means, 2 * count),
      cholesky: digest(picture.cholesky, 3 * count),
      colors: digest(picture.colors, picture.header.channels * count),
      alpha: picture.alpha && digest(picture.alpha, picture.alpha.length),
      grain: grain && digest(grain.levels, grain.levels.length),
      damage: picture.damage && picture.damage.kind,
      levels: picture.levels.map(({ classes, x, y, colors, shapes }) => ({
        classes: [...classes],
        x: [...x],
        y: [...y],
        colors: [...colors],
        shapes: [...shapes],
      })),
    };
  } catch (error) {
    if (!(error instanceof GimgError)) return { crash: String(error.stack) };
    return { error: error.kind, message: error.message, offset: error.offset };
  }
}

for (const request of JSON.parse(readFileSync(0, 'utf8'))) {
  console.log(JSON.stringify(await report(request)));
}
