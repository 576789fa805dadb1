// Codes colors and shapes: the second and the third stream of a layer.
//
// Symbols come plane by plane: the lumas of all Gaussians of the layer, then their chromas, and so
// on. So the model of a symbol is usually known long before its turn, and decoding a symbol does
// not wait for the one before it. The loose bits, which tell the values of a bucket apart, come
// after all symbols.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/interrupt.h"
#include "base/with_channels.h"
#include "entropy/rans-isa.h"
#include "layer/layer.h"
#include "layer/models-isa.h"

namespace gi::GI_ISA {

// Returns the level of each bucket's magnitudes; level i + 1 begins at bounds[i].
template <size_t N>
constexpr std::array<uint8_t, 16> level_by_bucket(const uint32_t (&bounds)[N]) {
  std::array<uint8_t, 16> levels{};
  for (size_t bucket = 0; bucket < 16; ++bucket) {
    for (const uint32_t bound : bounds) levels[bucket] += bucket_base[bucket] >= bound;
  }
  return levels;
}

constexpr auto luma_levels = level_by_bucket({3u, 6u, 10u});
constexpr auto chroma_levels = level_by_bucket({1u, 2u, 3u, 5u, 8u});

// The level for the sum of the two chroma buckets of the previous Gaussian, each counted as at
// most 7.
constexpr std::array<uint8_t, 15> levels_before = {0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3};

// Codes the bucket of a value, and returns the bucket. A decoder stores the bucket in place of the
// value until `code_rests` runs.
template <typename Coder>
GI_RANS_INLINE uint32_t code_bucket(typename Coder::Run& run, Model& model, int32_t& value) {
  if constexpr (Coder::decodes) {
    const uint32_t bucket = run.code(model, 0);
    value = static_cast<int32_t>(bucket);
    return bucket;
  } else {
    return run.code(model, find_bucket(absolute(value)));
  }
}

// Codes the loose bits of a few values together. For each value they are its place in the bucket,
// low bits first, then a sign bit, 1 for a negative value; zero has no sign bit. Magnitudes of the
// last bucket follow one by one.
template <typename Coder>
GI_RANS_INLINE void code_rests(typename Coder::Loose& loose, int32_t* values, int count) {
  uint32_t buckets[4], raw = 0;
  int total = 0;
  bool escapes = false;
  for (int i = 0; i < count; ++i) {
    const uint32_t bucket =
        Coder::decodes ? static_cast<uint32_t>(values[i]) : find_bucket(absolute(values[i]));
    buckets[i] = bucket;
    escapes |= bucket == 15;
    const int bits = bucket_bits[bucket];
    if constexpr (!Coder::decodes) {
      const uint32_t place = bucket == 15 ? 0 : absolute(values[i]) - bucket_base[bucket];
      raw |= (place | static_cast<uint32_t>(values[i] < 0) << bits) << total;
    }
    total += bits + (bucket != 0);
  }
  raw = loose.loose(raw, total);
  uint32_t negative = 0;
  for (int i = 0; i < count; ++i) {
    const int bits = bucket_bits[buckets[i]];
    const uint32_t magnitude = bucket_base[buckets[i]] + (raw & ((1u << bits) - 1));
    raw >>= bits;
    const uint32_t sign = raw & (buckets[i] != 0);
    raw >>= buckets[i] != 0;
    negative |= sign << i;
    if constexpr (Coder::decodes) {
      values[i] = static_cast<int32_t>((magnitude ^ (0u - sign)) + sign);
    }
  }
  if (!escapes) return;
  for (int i = 0; i < count; ++i) {
    if (buckets[i] != 15) continue;
    const auto magnitude = static_cast<int32_t>(code_escaped(loose, absolute(values[i])));
    if constexpr (Coder::decodes) values[i] = negative >> i & 1 ? -magnitude : magnitude;
  }
}

// Codes the symbols of a layer's n colors. Sets luma_level to the level of each luma.
template <typename Coder>
void code_color_buckets(Coder& coder, LayerModels& models, size_t channels, size_t n,
                        const uint8_t* precision, int32_t* color, uint8_t* luma_level) {
  typename Coder::Run run(coder);
  Model* const all = &models[0];
  const int set = models.set();
  for_many(n, [&](size_t i) {
    if (i > 0 && precision[i] != precision[i - 1]) run.start_plane();
    Model& model = all[luma + 16 * set + precision[i]];
    luma_level[i] = luma_levels[code_bucket<Coder>(run, model, color[channels * i])];
  });
  if (channels >= 3) {
    // The four quarters of the layer take turns, because within a quarter each symbol's model
    // depends on the previous symbol.
    constexpr size_t lanes = 4;
    const size_t quarter = (n + lanes - 1) / lanes;
    Model* const chroma = all + chroma_1 + 16 * set;
    run.start_plane();
    uint32_t before[lanes] = {};
    for_many(quarter, [&](size_t k) {
      uint32_t first[lanes] = {};
      for (size_t lane = 0; lane < lanes; ++lane) {
        const size_t i = lane * quarter + k;
        if (i >= n) break;
        const bool alone = k == 0 || precision[i] != precision[i - 1];
        const int level = alone ? 0 : levels_before[before[lane]];
        first[lane] =
            code_bucket<Coder>(run, chroma[4 * luma_level[i] + level], color[channels * i + 1]);
      }
      for (size_t lane = 0; lane < lanes; ++lane) {
        const size_t i = lane * quarter + k;
        if (i >= n) break;
        Model& model = all[chroma_2 + 4 * chroma_levels[first[lane]] + luma_level[i]];
        const uint32_t second = code_bucket<Coder>(run, model, color[channels * i + 2]);
        before[lane] = std::min(first[lane], 7u) + std::min(second, 7u);
      }
    });
  }
  if (channels % 2 == 0) {
    run.start_plane();
    for_many(n, [&](size_t i) {
      code_bucket<Coder>(run, all[alpha + luma_level[i]], color[channels * i + channels - 1]);
    });
  }
}

// Codes the colors of Gaussians [begin, end), which are a whole layer. `luma_level` is a workspace.
template <typename Coder>
void code_colors(Coder& coder, LayerModels& models, int channel_count, Layer& layer, size_t begin,
                 size_t end, std::vector<uint8_t>& luma_level) {
  const size_t channels = static_cast<size_t>(channel_count), n = end - begin;
  int32_t* const color = layer.color.data() + channels * begin;
  luma_level.resize(n);
  code_color_buckets(coder, models, channels, n, layer.precision.data() + begin, color,
                     luma_level.data());
  typename Coder::Loose loose(coder);
  with_channels(channel_count, [&](auto count) {
    for_many(n, [&](size_t i) { code_rests<Coder>(loose, color + count * i, count); });
  });
}

// A size is coded as its difference from the size that is expected for its precision class and
// amplitude. The symbols at the ends of the alphabet stand for all larger differences; a bucket
// follows them.
struct CodedSize {
  int32_t expected;
  uint8_t amplitude, symbol, bucket;
};

// Memory that one layer's shapes leave to the next.
struct ShapeWorkspace {
  std::vector<CodedSize> sizes;
  std::vector<uint32_t> escapes;  // the Gaussians whose sizes have a bucket
};

// Codes the symbols of a layer's n shapes; `sizes` has the expected sizes.
template <typename Coder>
void code_shape_buckets(Coder& coder, LayerModels& models, size_t n, CodedSize* sizes,
                        std::vector<uint32_t>& escapes, int32_t* shape) {
  typename Coder::Run run(coder);
  Model* const all = &models[0];
  escapes.resize(n + 1);
  uint32_t* end = escapes.data();
  for_many(n, [&](size_t i) {
    CodedSize& s = sizes[i];
    const int32_t away = shape[3 * i] - s.expected;
    const uint32_t symbol =
        run.code(all[size + s.amplitude], static_cast<uint32_t>(std::clamp(away, -8, 7) + 8));
    s.symbol = static_cast<uint8_t>(symbol);
    *end = static_cast<uint32_t>(i);
    end += symbol == 0 || symbol == 15;
  });
  run.start_plane();
  for_many(static_cast<size_t>(end - escapes.data()), [&](size_t k) {
    const size_t i = escapes[k];
    CodedSize& s = sizes[i];
    const uint32_t away = absolute(shape[3 * i] - s.expected);
    const bool above = s.symbol == 15;
    const uint32_t further = away - (above ? 7 : 8);
    s.bucket = static_cast<uint8_t>(run.code(all[size_escape + above], find_bucket(further)));
  });
  run.start_plane();
  for_many(n, [&](size_t i) {
    code_bucket<Coder>(run, all[shear_1 + sizes[i].amplitude], shape[3 * i + 1]);
    code_bucket<Coder>(run, all[shear_2 + sizes[i].amplitude], shape[3 * i + 2]);
  });
}

// Codes the shapes of Gaussians [begin, end), which are a whole layer. Their colors are known.
template <typename Coder>
void code_shapes(Coder& coder, LayerModels& models, const ShapeTables& tables, Layer& layer,
                 size_t begin, size_t end, ShapeWorkspace& workspace) {
  const size_t channels = static_cast<size_t>(tables.channels()), n = end - begin;
  const uint8_t* precision = layer.precision.data() + begin;
  const int32_t* const color = layer.color.data() + channels * begin;
  int32_t* shape = layer.shape.data() + 3 * begin;
  std::vector<CodedSize>& sizes = workspace.sizes;
  sizes.resize(n);
  for_many(n, [&](size_t i) {
    const int amplitude = amplitude_class(color + channels * i, tables.channels());
    sizes[i].amplitude = static_cast<uint8_t>(amplitude);
    sizes[i].expected = tables.expected(precision[i], amplitude);
  });
  code_shape_buckets(coder, models, n, sizes.data(), workspace.escapes, shape);
  typename Coder::Loose loose(coder);
  for_many(n, [&](size_t i) {
    const CodedSize s = sizes[i];
    const uint32_t away = absolute(shape[0] - s.expected);
    int32_t found = s.symbol - 8;
    if (s.symbol == 0) {
      found = -8 - static_cast<int32_t>(code_place(loose, s.bucket, away - 8));
    } else if (s.symbol == 15) {
      found = 7 + static_cast<int32_t>(code_place(loose, s.bucket, away - 7));
    }
    if constexpr (Coder::decodes) shape[0] = s.expected + found;
    code_rests<Coder>(loose, shape + 1, 2);
    if (!tables.allow(shape, s.amplitude)) loose.reject();
    shape += 3;
  });
}

}  // namespace gi::GI_ISA
