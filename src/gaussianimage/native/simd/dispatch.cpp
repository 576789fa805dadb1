#include "simd/dispatch.h"

#include <atomic>
#include <cstring>

namespace gi {

namespace baseline {
extern const Kernels kernel_table;
}
#ifdef GI_HAVE_AVX2
namespace avx2 {
extern const Kernels kernel_table;
}
#endif
#ifdef GI_HAVE_AVX512
namespace avx512 {
extern const Kernels kernel_table;
}
#endif

namespace {

const Kernels* find(const char* name) {
  const bool any = name[0] == '\0';
#ifdef GI_HAVE_AVX512
  if (any || std::strcmp(name, "avx512") == 0) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("bmi2")) {
      return &avx512::kernel_table;
    }
    if (!any) return nullptr;
  }
#endif
#ifdef GI_HAVE_AVX2
  if (any || std::strcmp(name, "avx2") == 0) {
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2")) {
      return &avx2::kernel_table;
    }
    if (!any) return nullptr;
  }
#endif
  if (any || std::strcmp(name, "baseline") == 0) return &baseline::kernel_table;
  return nullptr;
}

std::atomic<const Kernels*> selected{nullptr};

}  // namespace

const Kernels& kernels() {
  const Kernels* table = selected.load(std::memory_order_acquire);
  if (!table) {
    table = find("");
    selected.store(table, std::memory_order_release);
  }
  return *table;
}

bool select_kernels(const char* name) {
  const Kernels* table = find(name);
  if (!table) return false;
  selected.store(table, std::memory_order_release);
  return true;
}

}  // namespace gi
