// A loop over items that threads share in blocks of neighbors.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/pool.h"

namespace gi {

// Runs body(begin, end) for blocks of 0 … count - 1 that have at least `size` items each, on up to
// `threads` threads. The blocks do not depend on the number of threads. As for `parallel`, their
// order is not fixed, and a block must write only what no other block touches.
template <typename Body>
void parallel_blocks(size_t count, size_t size, int threads, Body&& body) {
  const size_t blocks = std::clamp<size_t>(count / size, 1, 4096);
  parallel(static_cast<int>(blocks), threads, [&](int block) {
    const size_t i = static_cast<size_t>(block);
    body(count * i / blocks, count * (i + 1) / blocks);
  });
}

}  // namespace gi
