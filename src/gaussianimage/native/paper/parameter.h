// A learned array of the paper's training, and Adan's step of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gi::paper {

// Adan's factors for one step: those of its three means, each divided by what a mean of few
// gradients lacks. gaussianimage/torch/adan.py states the algorithm.
struct AdanStep {
  AdanStep(double rate, int64_t step);  // steps are counted from 1

  float mean, difference, square;
};

// An array of `rows` × `columns` floats with its gradient and Adan's moments.
struct Parameter {
  Parameter(std::string name, size_t columns, const float* values, size_t rows);

  std::string name;
  size_t columns;
  std::vector<float> value, gradient;
  std::vector<float> mean, difference, square, previous;
  std::vector<float> best;  // `value` at the iteration with the closest picture

  size_t size() const { return value.size(); }
  size_t rows() const { return value.size() / columns; }

  // Moves elements [begin, end) by a step of Adan. The first step of a training has no gradient
  // before it.
  void step(const AdanStep& factors, bool first, size_t begin, size_t end);
};

}  // namespace gi::paper
