// The kernels, declared once for every instruction set that they are compiled for.
#pragma once

#define GI_DECLARE_KERNELS(isa) \
  namespace gi::isa {           \
  const char* name();           \
  }

GI_DECLARE_KERNELS(baseline)
GI_DECLARE_KERNELS(avx2)
GI_DECLARE_KERNELS(avx512)
