// The contrast within blocks of a picture, and the error within them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/function_ref.h"
#include "eye/blocks.h"

namespace gi {

// Every function takes the numbers of `count` blocks, and gives one result for each. A block costs
// some microseconds. Of a block at an edge of the picture, only pixels within the picture count.

// The largest and the median difference of a block's pixels from its median color: the root mean
// square over the channels, blurred over 3 × 3 pixels, where pixels beyond the block or the picture
// count as 0.
void measure_contrast(const BlockSource& source, const int64_t* numbers, size_t count, int threads,
                      float* largest, float* usual);

// The largest root mean square over the channels of a block's pixels, blurred in the same way.
void measure_peaks(const BlockSource& source, const int64_t* numbers, size_t count, int threads,
                   float* peaks);

// The mean squared error of a block less that of its mean color. cut_error(number, block) cuts out
// the errors of a block, 0 beyond the picture. `bounds` are black and white for each channel, to
// which the drawn picture is clipped; null if it is not.
void measure_excess(const BlockSource& source, FunctionRef<void(int64_t, Block&)> cut_error,
                    const float* bounds, const int64_t* numbers, size_t count, int threads,
                    double* excess);

}  // namespace gi
