// Maps of how much an eye sees of an error; gaussianimage.codec.encoder.eye_weights explains them.
#pragma once

#include <cstddef>

namespace gi {

// All maps have height × width floats, and a pixel costs some ten nanoseconds.

// The luma of height × width × channels floats: with three channels or more, the sum of the first
// three times `parts`, and the first channel else.
void measure_luma(const float* values, size_t pixels, int channels, const float* parts, int threads,
                  float* luma);

// The variance around each pixel, with a σ of 1.4 px.
void measure_variance(const float* values, ptrdiff_t height, ptrdiff_t width, int threads,
                      float* variance);

// The squared error around each pixel, divided twice by the sum of the variances of the picture and
// of the drawing, and of `noise`.
void measure_emphasis(const float* light, const float* error, ptrdiff_t height, ptrdiff_t width,
                      float noise, int threads, float* emphasis);

// The root of fine / fine_mean + coarse / coarse_mean, blurred with a σ of 1.4 px. `coarse` is a
// map of blocks of `scale` × `scale` pixels.
void combine_scales(const float* fine, double fine_mean, const float* coarse, double coarse_mean,
                    ptrdiff_t height, ptrdiff_t width, ptrdiff_t scale, int threads,
                    float* combined);

// Brings weights to a mean of 1 and between bounds: `rounds` times, so that both hold nearly, and
// then to a mean of 1.
void normalize_weights(float* weights, size_t count, float low, float high, int rounds,
                       int threads);

}  // namespace gi
