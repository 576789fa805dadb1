// Chooses the kernels for the CPU that the process runs on.
#pragma once

#include "simd/kernels.h"

namespace gi {

// The kernels of the widest instruction set of this CPU, or of the one that was selected.
const Kernels& kernels();

// Selects an instruction set by name ("baseline", "avx2", "avx512", or "" for the widest).
// Returns false, and changes nothing, when this build or this CPU does not have it.
bool select_kernels(const char* name);

}  // namespace gi
