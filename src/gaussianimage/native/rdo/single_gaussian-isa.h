// The kernels of rdo/single_gaussian-isa.cpp; one namespace for each instruction set.
#pragma once

#include "rdo/single_gaussian.h"
#include "simd/isa.h"

namespace gi::GI_ISA {

// sums[k] = Σ w R_k for each channel, then Σ w².
void weigh(const Planes& planes, const Patch& patch, double* sums);

// planes += w color.
void draw(const Planes& planes, const Patch& patch, const float* color);

}  // namespace gi::GI_ISA
