// The table of the kernels: the functions that are compiled once for every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace gi {

struct CellLists;
struct CellScale;
struct CellSpan;
struct ChainStart;
struct FixedPoint;
struct Footprint;
struct GrainBlock;
struct Layer;
class LayerStreams;
struct Moments;
struct PreparedGaussian;
struct PreparedGaussian16;
struct Quantizer;
struct SingleGaussian;
struct Source;
struct TiledResidual;
struct Window;

// The kernels of one instruction set.
struct Kernels {
  const char* name;

  // Prepares Gaussians [begin, end) of `source`, for runs of at most `longest` row pairs. The first
  // of them becomes prepared[0] and footprints[0].
  void (*prepare)(const Source& source, const Window& window, int longest, int begin, int end,
                  PreparedGaussian* prepared, Footprint* footprints);

  // Prepares them for sums in 16 bits.
  void (*prepare16)(const FixedPoint& fixed, const PreparedGaussian* prepared, int count,
                    PreparedGaussian16* prepared16, Footprint* footprints);

  // Appends the spans of Gaussians [begin, end) in a strip to the lists of its cells, one CellLists
  // for each band. Stops before a Gaussian for which there may not be room, and returns where it
  // stops.
  const uint32_t* (*list_spans)(const Footprint* footprints, const uint32_t* begin,
                                const uint32_t* end, const Window& window, int strip,
                                CellLists* cells);

  // Fills the first rows of a cell with one color.
  void (*fill)(const float* color, int channels, int rows, float* cell);

  // Adds Σ color · weight over the spans to a cell. Where the chains of the spans begin is left in
  // `keep`, unless it is null.
  void (*accumulate)(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                     int channels, float weight_min, float* cell, ChainStart* keep);

  // Fills, accumulates and converts a cell in 16 bits; see render/fixed_point.h.
  void (*fill16)(const CellScale& scale, int channels, int rows, int16_t* cell);
  void (*accumulate16)(const PreparedGaussian16* prepared, const CellSpan* spans, size_t count,
                       int channels, const FixedPoint& fixed, const CellScale& scale,
                       int16_t* cell);
  void (*to_bytes16)(const int16_t* cell, const CellScale& scale, int channels, int rows,
                     int columns, uint8_t* out, ptrdiff_t stride);

  // Adds the moments of each span of a Gaussian i, against the residual in `cell`, to
  // moments[bases[i] + strip]. `kept` is what `accumulate` left for the same spans; sums then
  // are rounded more coarsely. It may be null.
  void (*moments)(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                  int channels, float weight_min, const float* cell, const ChainStart* kept,
                  const int32_t* bases, int strip, Moments* moments);

  // Writes rows × columns pixels of a cell to out[row * stride + column * channels]; bytes are
  // rounded to the nearest.
  void (*to_bytes)(const float* cell, int channels, int rows, int columns, uint8_t* out,
                   ptrdiff_t stride);
  void (*to_floats)(const float* cell, int channels, int rows, int columns, float* out,
                    ptrdiff_t stride);

  // Starts a cell of residuals: cell[i] = -target[i].
  void (*negate)(const float* target, size_t count, float* cell);

  // Brings residuals closer to zero by up to `room`: positive ones where sides[i] is 1, negative
  // ones where it is −1.
  void (*forgive)(const int8_t* sides, float room, size_t count, float* cell);

  // Turns the residuals of a cell's first rows × columns into the derivative of their loss, sets
  // what lies outside to zero, and returns the loss ½ (Σ q² + β Σ mean(q)²); see Optimizer. q is
  // the residual times `roots`, of which there is one for each of the first `root_channels`
  // channels, one for all channels, or none; β is `block_weight`.
  double (*weigh_residual)(float* cell, const float* roots, int root_channels, float block_weight,
                           int channels, int rows, int columns);

  // Clamps the first rows × columns of a cell to 0 … 1 and sets them to the difference from the
  // target times `factor`, but to zero where the clamp was at work, and what lies outside too.
  // Returns the sum of squares of the differences.
  double (*clamped_residual)(const float* target, float factor, int channels, int rows, int columns,
                             float* cell);

  // Sets the first row pairs of a cell to a coarse picture, brought to twice the resolution, less
  // `subtracted`, which may be null. The coarse picture is kept in cells. `left` is its strip that
  // covers the fine strip. If the fine strip is the second one that `left` covers, `right` is the
  // strip after `left`, else it is null. The fine sample (2i, 2j) of the cell lies on the coarse
  // sample (first_row + 1 + i, offset
  // + 1 + j), counted from the fine strip's half of `left`.
  void (*subdivide_cell)(const float* left, const float* right, int offset, int first_row,
                         int channels, int pairs, const float* subtracted, float* cell);

  // The adjoint of subdivide_cell: brings a cell's residual to the coarse resolution. It writes 8
  // columns of sums, which belong to the fine strip. `first` is true for the strip's first cell;
  // the other ones add to the last two rows of the cell above.
  void (*restrict_cell)(const float* cell, int offset, int first_row, int channels, int pairs,
                        bool first, float* sums);

  // Computes rows of a coarse strip from the sums of the fine strips: the two that it covers and
  // the one before them. `odd` and `before` may be null.
  void (*join_sums)(const float* before, const float* even, const float* odd, size_t rows,
                    float* out);

  // Adds grain to the pixels of a block, at most 8 × 8; `stride` is the distance of rows. Bytes,
  // 16 bits, and floats of 0 to 1.
  void (*add_grain8)(const GrainBlock& block, int channels, int height, int width, uint8_t* pixels,
                     ptrdiff_t stride);
  void (*add_grain16)(const GrainBlock& block, int channels, int height, int width,
                      uint16_t* pixels, ptrdiff_t stride);
  void (*add_grain_float)(const GrainBlock& block, int channels, int height, int width,
                          float* pixels, ptrdiff_t stride);

  // Makes a decoder of layers; see layer/streams.h.
  std::unique_ptr<LayerStreams> (*make_layer_streams)();

  // Converts Gaussians [begin, end) of a layer to floats; see layer/dequantize.h.
  void (*dequantize)(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                     double* means, double* cholesky, float* colors);

  // Computes sums[k] = Σ w R_k for each channel k of the residual R, then Σ w², with a Gaussian's
  // weights.
  void (*correlate)(const TiledResidual& residual, const SingleGaussian& gaussian, double* sums);

  // Adds w · color to the residual.
  void (*draw_gaussian)(const TiledResidual& residual, const SingleGaussian& gaussian,
                        const float* color);
};

}  // namespace gi
