#include "layer/dequantize.h"

#include "base/parallel_blocks.h"
#include "simd/dispatch.h"

namespace gi {

void dequantize(const Quantizer& quantizer, const Layer& layer, int threads, double* means,
                double* cholesky, float* colors) {
  const size_t n = layer.count(), channels = static_cast<size_t>(quantizer.channels);
  parallel_blocks(n, 512, threads, [&](size_t begin, size_t end) {
    kernels().dequantize(quantizer, layer, begin, end, means + 2 * begin, cholesky + 3 * begin,
                         colors + channels * begin);
  });
}

}  // namespace gi
