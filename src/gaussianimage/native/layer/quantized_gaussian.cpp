#include "layer/quantized_gaussian.h"

#include <algorithm>
#include <cmath>

namespace gi {

void set_amplitude(const Quantizer& quantizer, Coded& coded, int amplitude) {
  const double ratio = shape_step(quantizer, coded.amplitude) / shape_step(quantizer, amplitude);
  for (int32_t& level : coded.shape) level = static_cast<int32_t>(std::lrint(level * ratio));
  coded.amplitude = amplitude;
}

void set_precision(const Quantizer& quantizer, Coded& coded, int precision) {
  const double ratio = std::ldexp(1.0, coded.precision - precision);
  int64_t columns, rows;
  grid_size(quantizer, precision, columns, rows);
  coded.x = static_cast<int32_t>(std::min<double>((coded.x + 0.5) * ratio, double(columns - 1)));
  coded.y = static_cast<int32_t>(std::min<double>((coded.y + 0.5) * ratio, double(rows - 1)));
  coded.precision = precision;
}

Coded coded_of(const Layer& layer, size_t i, int channels) {
  Coded coded{};
  const int32_t* color = layer.color.data() + static_cast<size_t>(channels) * i;
  coded.precision = layer.precision[i];
  coded.amplitude = amplitude_class(color, channels);
  coded.x = layer.position[2 * i];
  coded.y = layer.position[2 * i + 1];
  std::copy_n(color, channels, coded.color);
  std::copy_n(layer.shape.data() + 3 * i, 3, coded.shape);
  return coded;
}

bool same_geometry(const Coded& a, const Coded& b) {
  return a.precision == b.precision && a.amplitude == b.amplitude && a.x == b.x && a.y == b.y &&
         std::equal(a.shape, a.shape + 3, b.shape);
}

}  // namespace gi
