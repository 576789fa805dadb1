// A loop over items that threads share in blocks of neighbors.
#pragma once

#include <cstddef>

#include "base/pool.h"

namespace gi {

// Runs body(begin, end) for `blocks` blocks of 0 … count - 1 of equal size, on up to `threads`
// threads. The blocks do not depend on the number of threads. Like tasks of `parallel`, they run in
// any order.
template <typename Body>
void parallel_blocks(size_t count, size_t blocks, int threads, Body&& body) {
  parallel(static_cast<int>(blocks), threads, [&](int block) {
    body(count * static_cast<size_t>(block) / blocks,
         count * static_cast<size_t>(block + 1) / blocks);
  });
}

}  // namespace gi
