// The quantizers of the paper's codec: learned steps of single numbers, and residual vector
// quantization of colors. gaussianimage/paper/uniform_quantizer.py and residual_vq.py have the same
// in PyTorch, with the formulas' sources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "paper/parameter.h"

namespace gi::paper {

// Rounds to the nearest number of half precision and back.
float half_precision(float value);

// Evenly spaced levels for each of D columns, whose steps and offsets are learned:
// round(clip((v - β) / γ, 0, Q)) γ + β.
class UniformColumns {
 public:
  // most: Q. factor: of the gradients of γ and β.
  UniformColumns(Parameter& scale, Parameter& beta, int most, float factor);

  // Rounds values, rows × D. out may be the values themselves.
  void round(const float* values, size_t rows, float* out) const;

  // Computes the gradients of γ and β, and of the values into `by_value`, from that of the rounded
  // values, `by_rounded`; both may be the same array.
  void differentiate(const float* values, const float* by_rounded, size_t rows, float* by_value);

 private:
  struct Column {
    float scale, beta;
  };
  Column column(size_t j) const;

  Parameter& scale_;
  Parameter& beta_;
  float most_, factor_;
};

// S codebooks of K entries of C channels. A vector is the sum of one entry of each codebook; each
// stage codes what the stages before it have left.
class Codebooks {
 public:
  struct State {
    std::vector<float> entries, counts, sums;  // S × K × C, S × K, S × K × C
  };
  Codebooks(size_t stages, size_t entries, size_t channels, State state, double decay, bool revive);

  size_t stages() const { return stages_; }
  size_t entries() const { return entries_; }
  size_t channels() const { return channels_; }

  // Codes vectors, rows × C, and keeps which entries and residuals were used.
  void code(const float* values, size_t rows, float* out);

  // Changes the gradient of the coded vectors to that of the vectors. Every stage passes it on, so
  // it counts S times. Adds that of the commitment if `commitment`: the mean squared distance of
  // the residuals to their entries, summed over the stages.
  void differentiate(bool commitment, float* gradient) const;

  // Moves the entries toward the residuals that they coded.
  void adapt();

  State state, best;

 private:
  void code_stage(size_t stage, const float* residuals, float* left);
  void revive(size_t stage, const float* residuals, const float* left);

  size_t stages_, entries_, channels_;
  float weight_;  // of a new vector in the moving averages
  bool revive_;
  size_t rows_ = 0;
  std::vector<std::vector<float>> residuals_;  // before each stage, and after the last one
  std::vector<std::vector<uint16_t>> nearest_;
};

}  // namespace gi::paper
