// Answers requests from stdin for fuzz/support/node.py: a request is the number of its parts, and of
// each part its length and its bytes; numbers have 4 bytes in little-endian order. An answer is a line
// of JSON, in which an error of the decoder is told apart from a crash.
import { readSync, writeSync } from 'node:fs';
import { GimgError } from '../../src/gaussianimage/web/gimg/gimg.js';

function take(count) {
  const bytes = Buffer.alloc(count);
  for (let have = 0; have < count; ) {
    const got = readSync(0, bytes, have, count - have, null);
    if (got === 0) process.exit(0);
    have += got;
  }
  return bytes;
}

const takeNumber = () => take(4).readUInt32LE(0);

export const base64 = (pixels) =>
  Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength).toString('base64');

/** Serves until stdin ends. `answer` takes the parts of a request, and returns what JSON can hold. */
export async function serve(answer) {
  for (;;) {
    const parts = Array.from({ length: takeNumber() }, () => new Uint8Array(take(takeNumber())));
    let told;
    try {
      told = await answer(...parts);
    } catch (error) {
      const known = error instanceof GimgError;
      told = known ? { error: error.kind, message: error.message } : { crash: String(error.stack) };
    }
    writeSync(1, `${JSON.stringify(told)}\n`);
  }
}
