// The table of one instruction set's kernels: compiled once for each.

#include "kernels.h"

#include "kernel_parts.h"
#include "layer_streams.h"
#include "patch_kernels.h"

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
