// The steps of the integers in a file: grids of positions, classes of amplitude, steps of shapes.
//
// docs/format.md describes all of this for other implementers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gi {

// Limits of the format.
constexpr int max_side = 65536;  // of a picture, in pixels
constexpr uint64_t max_gaussians = uint64_t{1} << 28;

constexpr int precisions = 16;  // position grids: class j has cells of 2^j / 16 px

constexpr double sqrt_half = 0.7071067811865476;

// The quantizer's parameters, from the file's header.
struct Quantizer {
  int height = 1;
  int width = 1;
  int channels = 1;
  double color_step = 1;  // Δ, of a color normalized to unit energy
  double shape_step = 1;  // of log-covariance, for a Gaussian whose amplitude is Δ
};

// Computes the grid of a precision class in cells. The grid begins at the picture's top left corner
// and covers the picture.
void grid_size(const Quantizer& quantizer, int precision, int64_t& columns, int64_t& rows);

// Returns the half-octaves of amplitude, round(2 log2 √(Σ color²)), 0 … 15.
int amplitude_class(const int32_t* color, int channels);

// Returns the step of the log-covariance for an amplitude class.
double shape_step(const Quantizer& quantizer, int amplitude);

// Returns the size, shape[0], that is expected for a precision class and an amplitude class: an
// encoder chooses the precision class by the two.
int32_t expected_size(const Quantizer& quantizer, int precision, int amplitude);

// Bounds on log-covariance that keep σ between 10^-6 and 10^9 px and the aspect ratio below e^14,
// so that a covariance in double precision keeps its smaller axis.
constexpr double min_log_size = -7, max_log_size = 14, max_shear = 7;

// The expected sizes and the steps of a quantizer's shapes, in tables.
class ShapeTables {
 public:
  explicit ShapeTables(const Quantizer& quantizer) : channels_(quantizer.channels) {
    for (int i = 0; i < 256; ++i) sizes_[i] = expected_size(quantizer, i >> 4, i & 15);
    for (int i = 0; i < 16; ++i) steps_[i] = shape_step(quantizer, i);
  }
  int channels() const { return channels_; }
  int32_t expected(int precision, int amplitude) const {
    return sizes_[precision << 4 | amplitude];
  }

  // Whether a file can hold a shape.
  bool allow(const int32_t* shape, int amplitude) const {
    const double step = steps_[amplitude];
    const double s = shape[0] * step, d1 = shape[1] * step, d2 = shape[2] * step;
    // Without branches, because loops call it and the result is nearly always true.
    return (s >= min_log_size) & (s <= max_log_size) & (d1 * d1 + d2 * d2 <= max_shear * max_shear);
  }

 private:
  int channels_;
  int32_t sizes_[256];
  double steps_[16];
};

}  // namespace gi
