// Growth of a vector that is filled anew each time.
#pragma once

#include <cstddef>

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

}  // namespace gi
