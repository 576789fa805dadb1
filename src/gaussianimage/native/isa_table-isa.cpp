// The table of one instruction set's kernels. Compiled once for every instruction set.

#include "layer/streams.h"
#include "simd/kernel_parts-isa.h"

#define GI_STRING(x) #x
#define GI_NAME(x) GI_STRING(x)

namespace gi::GI_ISA {

extern const Kernels kernel_table;
const Kernels kernel_table{
    .name = GI_NAME(GI_ISA),
    .prepare = prepare,
    .prepare16 = prepare16,
    .list_spans = list_spans,
    .fill = fill,
    .accumulate = accumulate,
    .fill16 = fill16,
    .accumulate16 = accumulate16,
    .to_bytes16 = to_bytes16,
    .moments = moments,
    .to_bytes = to_bytes,
    .to_floats = to_floats,
    .negate = negate,
    .forgive = forgive,
    .weigh_residual = weigh_residual,
    .clamped_residual = clamped_residual,
    .subdivide_cell = subdivide_cell,
    .restrict_cell = restrict_cell,
    .join_sums = join_sums,
    .add_grain8 = add_grain8,
    .add_grain16 = add_grain16,
    .add_grain_float = add_grain_float,
    .make_layer_streams = make_layer_streams,
    .dequantize = dequantize,
    .correlate = correlate,
    .draw_gaussian = draw_gaussian,
};

}  // namespace gi::GI_ISA
