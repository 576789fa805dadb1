#include "fit/draw_pixels.h"

#include <algorithm>
#include <vector>

#include "base/interrupt.h"

namespace gi {

void draw_pixels(const float* values, size_t size, const double* shares, size_t count,
                 int64_t* pixels) {
  // Sums over short parts are independent of each other, which one running sum is not.
  constexpr size_t part = 64;
  std::vector<double> ends((size + part - 1) / part);
  for (size_t i = 0; i < ends.size(); ++i) {
    if (i % 65536 == 0) check_interrupt();
    double sum = 0;
    for (size_t j = i * part; j < std::min((i + 1) * part, size); ++j) sum += double{values[j]};
    ends[i] = sum;
  }
  for (size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const double wanted = shares[i] * ends.back();
    while (at + 1 < ends.size() && ends[at] <= wanted) ++at;
    double sum = at == 0 ? 0 : ends[at - 1];
    size_t found = at * part;  // the last pixel above 0 if rounding hides where the sum exceeds
    for (size_t j = at * part; j < std::min((at + 1) * part, size); ++j) {
      if (!(values[j] > 0)) continue;
      found = j;
      sum += double{values[j]};
      if (sum > wanted) break;
    }
    pixels[i] = static_cast<int64_t>(found);
  }
}

}  // namespace gi
