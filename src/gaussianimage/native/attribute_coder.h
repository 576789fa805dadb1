// Colors and shapes: the second of a layer's two streams.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "layer.h"
#include "layer_models.h"
#include "rans.h"

namespace gi::GI_ISA {

// A few signed values: first the bucket of each, by a model, then all their raw bits together,
// which is one step of the coder instead of one or two for each value.
template <typename Coder>
class SignedValues {
 public:
  explicit SignedValues(Coder& coder) : coder_(coder) {}

  // Codes the bucket of `value`, and remembers the rest. Returns the least magnitude in the bucket.
  uint32_t bucket(Model& model, int32_t& value) {
    const uint32_t bucket = coder_.code(model, bucket_of(magnitude_of(value)));
    values_[count_] = &value;
    buckets_[count_++] = bucket;
    return bucket_base[bucket];
  }

  // For each value its place in the bucket, low bits first, then 1 for a negative one; zero has no
  // sign. Magnitudes of the last bucket follow one by one.
  void rest() {
    uint32_t raw = 0;
    int total = 0;
    for (int i = 0; i < count_; ++i) {
      const uint32_t magnitude = magnitude_of(*values_[i]);
      const int bits = bucket_bits[buckets_[i]];
      if constexpr (!Coder::decodes) {
        const uint32_t place = buckets_[i] == 15 ? 0 : magnitude - bucket_base[buckets_[i]];
        raw |= (place | static_cast<uint32_t>(*values_[i] < 0) << bits) << total;
      }
      total += bits + (buckets_[i] != 0);
    }
    raw = code_raw(coder_, raw, total);
    for (int i = 0; i < count_; ++i) {
      const int bits = bucket_bits[buckets_[i]];
      uint32_t magnitude = bucket_base[buckets_[i]] + (raw & ((1u << bits) - 1));
      raw >>= bits;
      if (buckets_[i] == 15) magnitude = code_escaped(coder_, magnitude_of(*values_[i]));
      const bool negative = buckets_[i] != 0 && (raw & 1);
      raw >>= buckets_[i] != 0;
      *values_[i] = negative ? -static_cast<int32_t>(magnitude) : static_cast<int32_t>(magnitude);
    }
    count_ = 0;
  }

 private:
  Coder& coder_;
  int32_t* values_[4];
  uint32_t buckets_[4];
  int count_ = 0;
};

// In which class a magnitude falls; the classes begin at the bounds.
template <size_t N>
int level_class(uint32_t magnitude, const uint32_t (&bounds)[N]) {
  int level = 0;
  for (const uint32_t bound : bounds) level += magnitude >= bound;
  return level;
}

// A value whose small magnitudes have a symbol for each sign.
template <typename Coder>
int32_t code_lopsided(Coder& coder, Model& model, Model& below, Model& above, int32_t value) {
  const uint32_t symbol = coder.code(model, static_cast<uint32_t>(std::clamp(value, -8, 7) + 8));
  if (symbol == 0) {
    return -8 - static_cast<int32_t>(code_unsigned(coder, below, magnitude_of(value) - 8));
  }
  if (symbol == 15) {
    return 7 + static_cast<int32_t>(code_unsigned(coder, above, magnitude_of(value) - 7));
  }
  return static_cast<int32_t>(symbol) - 8;
}

// Color and shape of Gaussian i. `first` tells that no Gaussian before it is of the same precision
// class in the same layer.
template <typename Coder>
void code_attributes(Coder& coder, LayerModels& models, const Quantizer& quantizer, Layer& layer,
                     size_t i, bool first) {
  static constexpr uint32_t luma_bounds[] = {3, 6, 10};
  static constexpr uint32_t before_bounds[] = {1, 3, 7};
  static constexpr uint32_t chroma_bounds[] = {1, 2, 3, 5, 8};
  const int channels = quantizer.channels;
  const int precision = layer.precision[i];
  const int set = models.set();
  int32_t* color = layer.color.data() + i * static_cast<size_t>(channels);
  SignedValues<Coder> values(coder);
  const int luma_level =
      level_class(values.bucket(models[luma + 16 * set + precision], color[0]), luma_bounds);
  if (channels >= 3) {
    uint32_t before = 0;
    if (!first) {
      const int32_t* other = color - channels;
      before = std::min(magnitude_of(other[1]), 9u) + std::min(magnitude_of(other[2]), 9u);
    }
    const int context = 16 * set + 4 * luma_level + level_class(before, before_bounds);
    const int chroma_level =
        level_class(values.bucket(models[chroma_1 + context], color[1]), chroma_bounds);
    values.bucket(models[chroma_2 + 4 * chroma_level + luma_level], color[2]);
  }
  if (channels % 2 == 0) values.bucket(models[alpha + luma_level], color[channels - 1]);
  values.rest();

  const int amplitude = amplitude_class(color, channels);
  int32_t* shape = layer.shape.data() + 3 * i;
  const int32_t expected = expected_size(quantizer, precision, amplitude);
  shape[0] = expected + code_lopsided(coder, models[size + amplitude], models[size_escape],
                                      models[size_escape + 1], shape[0] - expected);
  values.bucket(models[shear_1 + amplitude], shape[1]);
  values.bucket(models[shear_2 + amplitude], shape[2]);
  values.rest();
}

}  // namespace gi::GI_ISA
