// Reads ICC profiles for fuzz/targets/javascript_profile.py, and converts the pixels that come with each.
import { convertToSrgb, readProfile } from '../../src/gaussianimage/web/gimg/profile.js';
import { base64, serve } from './serving.mjs';

serve((profile, pixels) => {
  const conversion = readProfile(profile);
  if (!conversion || conversion === 'srgb') return { kind: conversion ?? 'other' };
  const numbers = [...conversion.curves.flatMap((curve) => [...curve]), ...conversion.matrix];
  const converted = new Uint8ClampedArray(pixels);
  convertToSrgb(conversion, converted);
  return {
    kind: 'conversion',
    numbers: numbers.length,
    finite: numbers.every(Number.isFinite),
    pixels: base64(converted),
  };
});
