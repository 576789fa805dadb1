#include "rdo/symbol_costs.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "layer/attributes-isa.h"
#include "layer/models-isa.h"

namespace gi {
namespace {

// Computes the bits of each symbol for a few models that count as one.
void fill(double (&table)[16], const uint32_t* counts, std::initializer_list<int> models) {
  double weights[16] = {}, total = 0;
  for (const int model : models) {
    double prior = 0;
    for (int i = 0; i < 16; ++i) prior += model_priors[model][i];
    for (int i = 0; i < 16; ++i) {
      weights[i] += counts[16 * model + i] + prior_confidence * model_priors[model][i] / prior;
    }
  }
  for (const double weight : weights) total += weight;
  // A model gives a symbol at least one slot.
  for (int i = 0; i < 16; ++i) table[i] = std::min(std::log2(total / weights[i]), 15.0);
}

uint32_t signed_bucket(int32_t value) { return find_bucket(absolute(value)); }

int luma_level(int32_t luma) { return GI_ISA::luma_levels[signed_bucket(luma)]; }

}  // namespace

int SymbolCosts::models() { return GI_ISA::model_count; }

SymbolCosts::SymbolCosts(const Quantizer& quantizer, const uint32_t* counts,
                         const uint32_t* classes)
    : quantizer_(quantizer) {
  for (int i = 0; i < 64; ++i) fill(luma_[i], counts, {GI_ISA::luma + i});
  for (int i = 0; i < 16; ++i) {
    const int first = GI_ISA::chroma_1 + 4 * i;
    fill(chroma_1_[i], counts, {first, first + 1, first + 2, first + 3});
  }
  for (int i = 0; i < 24; ++i) fill(chroma_2_[i], counts, {GI_ISA::chroma_2 + i});
  for (int i = 0; i < 4; ++i) fill(alpha_[i], counts, {GI_ISA::alpha + i});
  for (int i = 0; i < 16; ++i) {
    fill(size_[i], counts, {GI_ISA::size + i});
    fill(shear_1_[i], counts, {GI_ISA::shear_1 + i});
    fill(shear_2_[i], counts, {GI_ISA::shear_2 + i});
  }
  for (int set = 0; set < 4; ++set) {
    for (int j = 0; j < precisions; ++j) {
      // A set of n out of M cells takes log2 of the binomial coefficient; one more Gaussian takes
      // about log2 M/n.
      int64_t columns, rows;
      grid_size(quantizer, j, columns, rows);
      const double cells = static_cast<double>(columns) * static_cast<double>(rows);
      position_[16 * set + j] = std::log2(std::max(cells / (classes[16 * set + j] + 1.0), 1.0));
    }
  }
}

double SymbolCosts::signed_bits(const Table& table, int32_t value) {
  const uint32_t magnitude = absolute(value);
  const uint32_t bucket = find_bucket(magnitude);
  double bits = table[bucket] + bucket_bits[bucket] + (bucket != 0);
  if (bucket == 15) bits += 5 + std::log2(magnitude - bucket_base[15] + 1.0);
  return bits;
}

double SymbolCosts::chroma_1(int set, int32_t luma, int32_t level) const {
  return signed_bits(chroma_1_[4 * set + luma_level(luma)], level);
}

double SymbolCosts::chroma_2(int32_t luma, int32_t chroma, int32_t level) const {
  return signed_bits(chroma_2_[4 * GI_ISA::chroma_levels[signed_bucket(chroma)] + luma_level(luma)],
                     level);
}

double SymbolCosts::alpha(int32_t luma, int32_t level) const {
  return signed_bits(alpha_[luma_level(luma)], level);
}

double SymbolCosts::geometry(int set, const QuantizedGaussian& gaussian) const {
  const int32_t off =
      gaussian.shape[0] - expected_size(quantizer_, gaussian.precision, gaussian.amplitude);
  const int32_t symbol = std::clamp(off, -8, 7);
  double bits = position_[16 * set + gaussian.precision] + size_[gaussian.amplitude][symbol + 8] +
                signed_bits(shear_1_[gaussian.amplitude], gaussian.shape[1]) +
                signed_bits(shear_2_[gaussian.amplitude], gaussian.shape[2]);
  if (off <= -8 || off >= 7) bits += 2 + 2 * std::log2(1.0 + std::abs(off - symbol));
  return bits;
}

}  // namespace gi
