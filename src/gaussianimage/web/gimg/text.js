/** Numbers as the pages write them. */

/**
 * Groups the digits of an integer by thin spaces.
 * @param {number} value
 */
export function groupedText(value) {
  return value.toLocaleString('en').replaceAll(',', '\u202f');
}

/** @param {number} bytes */
export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

/** @param {number} zoom CSS pixels for a pixel of the picture */
export function zoomText(zoom) {
  const percent = 100 * zoom;
  if (percent < 10) return `${percent.toFixed(1)} %`;
  if (percent < 100_000) return `${groupedText(Math.round(percent))} %`;
  return `${Number(zoom.toPrecision(3)).toLocaleString('en', { notation: 'compact' })} ×`;
}
