// The kernels of patch_kernels.cpp; one namespace for each instruction set.
#pragma once

#include "isa.h"
#include "patch.h"

namespace gi::GI_ISA {

// sums[k] = Σ w R_k for each channel, then Σ w².
void weigh(const Planes& planes, const Patch& patch, double* sums);

// planes += w color.
void draw(const Planes& planes, const Patch& patch, const float* color);

}  // namespace gi::GI_ISA
