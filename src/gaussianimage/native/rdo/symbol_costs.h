// Estimates the bits that the integers of a Gaussian cost when the models have learned.
#pragma once

#include <cstdint>
#include <vector>

#include "layer/layer.h"
#include "layer/quantized_gaussian.h"

namespace gi {

// A static estimate of the bits that the adaptive models spend, from the number of occurrences of
// each symbol. It ignores the previous Gaussian as context of the chroma, because removing or
// moving a Gaussian changes that context for other Gaussians.
class SymbolCosts {
 public:
  static int models();

  // counts: 16 symbols for every model, as LayerEncoder::tally counts them. classes: Gaussians of
  // each precision class in each of the four sets of models, which layers choose from.
  SymbolCosts(const Quantizer& quantizer, const uint32_t* counts, const uint32_t* classes);

  double luma(int set, int precision, int32_t level) const {
    return signed_bits(luma_[16 * set + precision], level);
  }
  double chroma_1(int set, int32_t luma, int32_t level) const;
  double chroma_2(int32_t luma, int32_t chroma, int32_t level) const;
  double alpha(int32_t luma, int32_t level) const;

  // The bits of the position and the shape. Of the color only the amplitude class matters.
  double geometry(int set, const QuantizedGaussian& gaussian) const;

 private:
  using Table = double[16];
  static double signed_bits(const Table& table, int32_t value);

  Quantizer quantizer_;
  Table luma_[64], chroma_1_[16], chroma_2_[24], alpha_[4], size_[16], shear_1_[16], shear_2_[16];
  double position_[64];
};

}  // namespace gi
