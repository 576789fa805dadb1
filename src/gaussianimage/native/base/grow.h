// Growth of a vector that is filled anew each time.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/interrupt.h"

namespace gi {

// Resizes a vector whose values need not be kept. It takes at most an eighth more memory than it
// needs, where std::vector may take twice as much.
template <typename Vector>
void resize_anew(Vector& vector, size_t count) {
  if (count > vector.capacity()) {
    vector = Vector();
    vector.reserve(count + count / 8);
  }
  vector.resize(count);
}

// Makes a vector of zeros, and checks for an interrupt now and then: the first writing to memory
// takes half a second for each gigabyte.
template <typename Vector>
Vector make_zeros(size_t count) {
  constexpr size_t some = 1 << 20;
  Vector vector;
  vector.reserve(count);
  while (vector.size() < count) {
    check_interrupt();
    vector.resize(std::min(count, vector.size() + some));
  }
  return vector;
}

}  // namespace gi
