/**
 * What is done to the pixels of a picture that has grain or an ICC profile, after it is drawn.
 * renderer.js loads this module for such pictures alone.
 */
import { GimgError, readMetadata } from './gimg.js';
import { addGrain, readGrain } from './grain.js';
import { convertToSrgb, readProfile } from './profile.js';

/** @typedef {import('./gimg.js').Picture} Picture */
/** @typedef {import('./view.js').View} View */

/**
 * @typedef {object} Finish
 * @property {import('./grain.js').Grain | null} grain
 * @property {import('./profile.js').Conversion | null} conversion
 * @property {string} notice what is not as the file wants it; empty if all is
 */

/**
 * Reads what a picture has.
 * @param {Picture} picture
 * @returns {Promise<Finish>}
 */
export async function readFinish(picture) {
  const notices = [];
  let grain = null;
  let conversion = null;
  try {
    grain = readGrain(picture);
    const data = await readMetadata(picture, 'iCCP');
    const profile = data ? readProfile(data) : 'srgb';
    if (!profile) notices.push('the ICC profile is of a kind that is not applied, so colors are shown as sRGB');
    else if (profile !== 'srgb') conversion = profile;
  } catch (error) {
    if (!(error instanceof GimgError)) throw error;
    notices.push(error.message);
  }
  return { grain, conversion, notice: notices.join('; ') };
}

/**
 * Finishes pixels in place.
 * @param {Finish} finish
 * @param {Uint8ClampedArray} pixels RGBA of the view, not multiplied by alpha
 * @param {Picture} picture
 * @param {View} view
 * @param {boolean} withGrain
 */
export function finishPixels({ grain, conversion }, pixels, picture, view, withGrain) {
  const { header } = picture;
  const { scaleX, scaleY } = view;
  // Of smaller pictures the grain would be coarser than that of the source.
  if (grain && withGrain && scaleX > 1 - 1e-9 && scaleY > 1 - 1e-9) {
    const part = {
      left: Math.max(0, Math.round(view.left * scaleX)),
      top: Math.max(0, Math.round(view.top * scaleY)),
      width: view.width,
      height: view.height,
    };
    const height = Math.max(header.height, Math.round(header.height * scaleY));
    const width = Math.max(header.width, Math.round(header.width * scaleX));
    addGrain(grain, pixels, part, height, width, header);
  }
  if (conversion) convertToSrgb(conversion, pixels);
}
