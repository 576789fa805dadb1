// The kernels of one instruction set, which isa_table-isa.cpp puts into its table. simd/kernels.h
// says what each of them does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "simd/isa.h"
#include "simd/kernels.h"

namespace gi::GI_ISA {

// render/prepare-isa.cpp
void prepare(const Source& source, const Window& window, int longest, int begin, int end,
             PreparedGaussian* prepared, Footprint* footprints);

// render/cell_lists-isa.cpp
const uint32_t* list_spans(const Footprint* footprints, const uint32_t* begin, const uint32_t* end,
                           const Window& window, int strip, CellLists* cells);

// render/accumulate-isa.cpp
void accumulate(const PreparedGaussian* prepared, const CellSpan* spans, size_t count, int channels,
                float weight_min, float* cell, ChainStart* keep);
void moments(const PreparedGaussian* prepared, const CellSpan* spans, size_t count, int channels,
             float weight_min, const float* cell, const ChainStart* kept, const int32_t* bases,
             int strip, Moments* out);

// render/prepare16-isa.cpp
void prepare16(const FixedPoint& fixed, const PreparedGaussian* prepared, int count,
               PreparedGaussian16* prepared16, Footprint* footprints);

// render/accumulate16-isa.cpp
void accumulate16(const PreparedGaussian16* prepared, const CellSpan* spans, size_t count,
                  int channels, const FixedPoint& fixed, const CellScale& scale, int16_t* cell);

// render/cell_ops16-isa.cpp
void fill16(const CellScale& scale, int channels, int rows, int16_t* cell);
void to_bytes16(const int16_t* cell, const CellScale& scale, int channels, int rows, int columns,
                uint8_t* out, ptrdiff_t stride);

// render/cell_ops-isa.cpp
void fill(const float* color, int channels, int rows, float* cell);
void to_bytes(const float* cell, int channels, int rows, int columns, uint8_t* out,
              ptrdiff_t stride);
void to_floats(const float* cell, int channels, int rows, int columns, float* out,
               ptrdiff_t stride);
double clamped_residual(const float* target, float factor, int channels, int rows, int columns,
                        float* cell);

// fit/weigh_residual-isa.cpp
void negate(const float* target, size_t count, float* cell);
void forgive(const int8_t* sides, float room, size_t count, float* cell);
double weigh_residual(float* cell, const float* roots, int root_channels, float block_weight,
                      int channels, int rows, int columns);

// render/subdivide-isa.cpp
void subdivide_cell(const float* left, const float* right, int offset, int first_row, int channels,
                    int pairs, const float* subtracted, float* cell);
void restrict_cell(const float* cell, int offset, int first_row, int channels, int pairs,
                   bool first, float* sums);
void join_sums(const float* before, const float* even, const float* odd, size_t rows, float* out);

// grain/grain_block-isa.cpp
void add_grain8(const GrainBlock& block, int channels, int height, int width, uint8_t* pixels,
                ptrdiff_t stride);
void add_grain16(const GrainBlock& block, int channels, int height, int width, uint16_t* pixels,
                 ptrdiff_t stride);
void add_grain_float(const GrainBlock& block, int channels, int height, int width, float* pixels,
                     ptrdiff_t stride);

// layer/streams-isa.cpp
std::unique_ptr<LayerStreams> make_layer_streams();

// layer/dequantize-isa.cpp
void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors);

// rdo/single_gaussian-isa.cpp
void correlate(const TiledResidual& residual, const SingleGaussian& gaussian, double* sums);
void draw_gaussian(const TiledResidual& residual, const SingleGaussian& gaussian,
                   const float* color);

}  // namespace gi::GI_ISA
