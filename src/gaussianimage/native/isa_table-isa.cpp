// The table of one instruction set's kernels: compiled once for each.

#include "layer/streams.h"
#include "simd/kernel_parts-isa.h"

#define GI_STRING(x) #x
#define GI_NAME(x) GI_STRING(x)

namespace gi::GI_ISA {

extern const Kernels kernel_table;
const Kernels kernel_table{
    GI_NAME(GI_ISA), prepare,      prepare16,    list_spans,         fill,
    accumulate,      fill16,       accumulate16, to_bytes16,         moments,
    to_bytes,        to_floats,    sum_squares,  make_layer_streams, dequantize,
    correlate,       draw_gaussian};

}  // namespace gi::GI_ISA
