// Chooses the kernels that suit the processor at run time.
#pragma once

namespace gi {

// The best instruction set that this build holds and this processor runs: "baseline", "avx2" or
// "avx512".
const char* instruction_set();

}  // namespace gi
