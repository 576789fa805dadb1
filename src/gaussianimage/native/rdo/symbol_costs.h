// What the integers of a Gaussian cost in bits, about, once the models have learned.
#pragma once

#include <cstdint>
#include <vector>

#include "layer/layer.h"
#include "layer/quantized_gaussian.h"

namespace gi {

// Bits from how often each symbol occurs: a static estimate of what the adaptive models spend. The
// chroma's context of the Gaussian before is left out: a Gaussian that is removed or moved to
// another place changes it for others anyway.
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

  // Of the position and the shape, whatever the color but for its amplitude class.
  double geometry(int set, const QuantizedGaussian& gaussian) const;

 private:
  using Table = double[16];
  static double signed_bits(const Table& table, int32_t value);

  Quantizer quantizer_;
  Table luma_[64], chroma_1_[16], chroma_2_[24], alpha_[4], size_[16], shear_1_[16], shear_2_[16];
  double position_[64];
};

}  // namespace gi
