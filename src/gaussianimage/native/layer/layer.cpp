#include "layer/layer.h"

#include <stdexcept>

#include "entropy/buckets.h"

namespace gi {

void validate(const Quantizer& quantizer, const Layer& layer) {
  const size_t channels = static_cast<size_t>(quantizer.channels);
  const ShapeTables shapes(quantizer);
  for (size_t i = 0; i < layer.count(); ++i) {
    int64_t columns, rows;
    if (layer.precision[i] >= precisions) throw std::out_of_range("no such precision class");
    const int32_t* color = layer.color.data() + channels * i;
    for (size_t k = 0; k < channels; ++k) {
      if (absolute(color[k]) > max_unsigned) throw std::out_of_range("color out of range");
    }
    if (!shapes.allow(layer.shape.data() + 3 * i, amplitude_class(color, quantizer.channels))) {
      throw std::out_of_range("size or elongation out of range");
    }
    grid_size(quantizer, layer.precision[i], columns, rows);
    const int32_t x = layer.position[2 * i], y = layer.position[2 * i + 1];
    if (x < 0 || y < 0 || x >= columns || y >= rows) {
      throw std::out_of_range("position outside of the grid");
    }
  }
}

}  // namespace gi
