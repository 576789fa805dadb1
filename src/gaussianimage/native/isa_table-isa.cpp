// The table of one instruction set's kernels: compiled once for each.

#include "simd/kernels.h"

#include "layer/streams.h"
#include "rdo/single_gaussian-isa.h"
#include "simd/kernel_parts-isa.h"

#define GI_STRING(x) #x
#define GI_NAME(x) GI_STRING(x)

namespace gi::GI_ISA {

extern const Kernels table;
const Kernels table{GI_NAME(GI_ISA),
                    prepare,
                    prepare_words,
                    list,
                    fill,
                    accumulate,
                    fill_words,
                    accumulate_words,
                    words_to_bytes,
                    moments,
                    to_bytes,
                    to_floats,
                    square,
                    make_layer_streams,
                    dequantize,
                    weigh,
                    draw};

}  // namespace gi::GI_ISA
