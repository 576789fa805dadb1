// What each instruction set's copy of the kernels is put together from; see simd/kernels.h and
// layer/layer.h for what they do.
#pragma once

#include <memory>

#include "simd/isa.h"
#include "simd/kernels.h"

namespace gi::GI_ISA {

// render/prepare-isa.cpp
void prepare(const Source& source, const Window& window, int longest, int begin, int end,
             Atom* atoms, Outline* outlines);

// render/cell_lists-isa.cpp
const uint32_t* list(const Outline* outlines, const uint32_t* begin, const uint32_t* end,
                     const Window& window, int strip, CellLists* cells);

// render/accumulate-isa.cpp
void accumulate(const Atom* atoms, const Entry* entries, size_t count, int channels,
                float weight_min, float* cell);
void moments(const Atom* atoms, const Entry* entries, size_t count, int channels, float weight_min,
             const float* cell, Moments* out);

// render/prepare16-isa.cpp
void prepare_words(const FixedPoint& fixed, const Atom* atoms, int count, WordAtom* words,
                   Outline* outlines);

// render/accumulate16-isa.cpp
void accumulate_words(const WordAtom* atoms, const Entry* entries, size_t count, int channels,
                      const FixedPoint& fixed, const CellScale& scale, int16_t* cell);

// render/cell_ops16-isa.cpp
void fill_words(const CellScale& scale, int channels, int rows, int16_t* cell);
void words_to_bytes(const int16_t* cell, const CellScale& scale, int channels, int rows,
                    int columns, uint8_t* out, ptrdiff_t stride);

// render/cell_ops-isa.cpp
void fill(const float* color, int channels, int rows, float* cell);
void to_bytes(const float* cell, int channels, int rows, int columns, uint8_t* out,
              ptrdiff_t stride);
void to_floats(const float* cell, int channels, int rows, int columns, float* out,
               ptrdiff_t stride);
double square(float* cell, int channels, int rows, int columns);

// layer/streams-isa.cpp
std::unique_ptr<LayerStreams> make_layer_streams();

// layer/dequantize-isa.cpp
void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors);

}  // namespace gi::GI_ISA
