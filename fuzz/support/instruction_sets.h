// The instruction sets of this machine, whose kernels must give the same bits.
#pragma once

#include <initializer_list>
#include <vector>

#include "simd/dispatch.h"
#include "support/require.h"

namespace fuzz {

// Calls task(name) with the kernels of each instruction set selected in turn.
template <typename Task>
void for_each_instruction_set(Task&& task) {
  for (const char* const name : {"baseline", "avx2", "avx512"}) {
    if (gi::select_kernels(name)) task(name);
  }
}

// Computes a vector with the kernels of each instruction set, and returns it. All must be equal.
template <typename Compute>
auto same_on_all(Compute&& compute) {
  REQUIRE(gi::select_kernels("baseline"));
  const auto expected = compute();
  for_each_instruction_set([&](const char*) { REQUIRE(same_bits(compute(), expected)); });
  return expected;
}

}  // namespace fuzz
