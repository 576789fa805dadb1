// A layer of Gaussians as integers, and its bytes.
//
// Everything here is described for other implementers in docs/format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gi {

constexpr int precisions = 16;  // position grids: class j has cells of 2^j / 16 px

// What the file's header says of the quantizer.
struct Quantizer {
  int height = 1;
  int width = 1;
  int channels = 1;
  double color_step = 1;  // Δ, of a color normalized to unit energy
  double shape_step = 1;  // of log-covariance, for a Gaussian whose amplitude is Δ
};

// Gaussians of one layer. Within a layer they are ordered by falling precision class, then along
// the curve that the position coder walks; an encoder may pass them in any order.
struct Layer {
  std::vector<uint8_t> precision;  // (n)
  std::vector<int32_t> position;   // (n, 2): cell of the class's grid, x then y
  std::vector<int32_t> color;      // (n, channels), in color steps
  std::vector<int32_t> shape;      // (n, 3), in the steps that the amplitude implies
  size_t count() const { return precision.size(); }
};

// Bits spent, by what they were spent on.
struct LayerBits {
  double positions, colors, shapes;
};

// The grid of a class, in cells: it covers the picture, and begins at its top left corner.
void grid_size(const Quantizer& quantizer, int precision, int64_t& columns, int64_t& rows);

// Half-octaves of amplitude, round(2 log2 √(Σ color²)), 0 … 15.
int amplitude_class(const int32_t* color, int channels);

// The step of the log-covariance for an amplitude class.
double shape_step(const Quantizer& quantizer, int amplitude);

// The size, shape[0], that the precision class and the amplitude let expect: the class's grid
// follows the two.
int32_t expected_size(const Quantizer& quantizer, int precision, int amplitude);

// Bounds on log-covariance that keep σ between 10^-6 and 10^9 px and the aspect ratio below e^14,
// so that a covariance in double precision keeps its smaller axis.
constexpr double least_size = -7, most_size = 14, most_shear = 7;

// What a quantizer lets expect of shapes, looked up.
class Shapes {
 public:
  explicit Shapes(const Quantizer& quantizer) : channels_(quantizer.channels) {
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
    // Without branches: it is called in a loop, and true.
    return (s >= least_size) & (s <= most_size) & (d1 * d1 + d2 * d2 <= most_shear * most_shear);
  }

 private:
  int channels_;
  int32_t sizes_[256];
  double steps_[16];
};

// A Gaussian that shows takes a bit at least, so more of them than these are damage.
constexpr size_t most_per_byte = 16;

// Throws std::out_of_range when a value is one that no file can hold.
void check(const Quantizer& quantizer, const Layer& layer);

class LayerEncoder {
 public:
  LayerEncoder(const Quantizer& quantizer, int layers);
  ~LayerEncoder();
  LayerEncoder(const LayerEncoder&) = delete;
  LayerEncoder& operator=(const LayerEncoder&) = delete;

  const Quantizer& quantizer() const;

  // The next layer's bytes; `layer` is put in the order that a decoder returns. Throws as `check`,
  // and when a layer is so uniform that a decoder would take its few bytes for damage.
  std::vector<uint8_t> encode(Layer& layer);

  // What `encode` would spend, or of it only the bits that no model sees, without changing the
  // state.
  LayerBits measure(const Layer& layer, bool raw = false) const;

  // How often each symbol of each model occurs in the next layer, 16 per model.
  std::vector<uint32_t> tally(Layer& layer);

 private:
  struct State;
  State* state_;
};

using LayerBytes = std::pair<const uint8_t*, size_t>;

// Gaussians [begin, end) of a layer in floats: means, Cholesky factors and colors as the engine
// takes them. The same numbers on every machine.
void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors);

// All of a layer, by up to `threads` threads.
void dequantize(const Quantizer& quantizer, const Layer& layer, int threads, double* means,
                double* cholesky, float* colors);

}  // namespace gi
