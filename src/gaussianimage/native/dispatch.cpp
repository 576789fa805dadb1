// Chooses the kernels that suit the processor at run time.
#include "dispatch.h"

#include "kernels.h"

namespace gi {

const char* instruction_set() {
#ifdef GI_HAVE_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return avx512::name();
#endif
#ifdef GI_HAVE_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::name();
#endif
  return baseline::name();
}

}  // namespace gi
