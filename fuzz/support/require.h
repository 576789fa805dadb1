// What a fuzz target calls when the code under test breaks a promise.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

// Ends the process, which libFuzzer reports with the input.
#define REQUIRE(condition)                                                          \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)

namespace fuzz {

// Whether two vectors have the same bits, NaNs included.
template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace fuzz
