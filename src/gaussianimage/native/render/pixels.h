// Converts the cells of a drawn picture to the pixels that a caller wants.
#pragma once

#include "render/alpha_class.h"
#include "render/binning.h"
#include "render/fixed_point.h"
#include "simd/kernels.h"

namespace gi {

enum class PixelKind {
  sums,    // float, the sums themselves
  floats,  // float, 0 to 1
  bytes,   // uint8, 0 to 255, rounded to nearest
  words,   // uint16, 0 to 65535, rounded to nearest
};

constexpr size_t bytes_per_value(PixelKind kind) {
  return kind == PixelKind::bytes ? 1 : kind == PixelKind::words ? 2 : 4;
}

// Writes the pixels of a part of the window, row by row, from cells in any order.
class PixelSink {
 public:
  // `straight`: the last channel is alpha, and the other channels are divided by it. Where alpha
  // rounds to 0 they become 0. `classes`: the alpha class of each pixel of the part, or null.
  PixelSink(PixelKind kind, bool straight, int channels, const Part& part, void* out,
            const uint8_t* classes = nullptr)
      : kind_(kind),
        straight_(straight),
        channels_(channels),
        part_(part),
        out_(out),
        classes_(classes) {}

  const Part& part() const { return part_; }

  // Whether it accepts cells in 16 bits.
  bool takes_words() const { return kind_ == PixelKind::bytes && !straight_; }

  // Writes the pixels of the part that are in a cell. Several threads may call it, because cells do
  // not overlap.
  void write(const Kernels& kernels, const Binning::Cell& cell, const float* floats) const;
  void write(const Kernels& kernels, const Binning::Cell& cell, const int16_t* words,
             const CellScale& scale) const;

 private:
  // The piece of a cell that is written, and its place in the part.
  struct Piece {
    int top, bottom;          // rows [top, bottom) of the window
    int columns;              // values in a row of the piece
    int first, rows;          // the whole row pairs of the cell that hold the piece
    int skipped;              // values before the piece in these rows, for rows of 8 pixels
    bool all_columns;         // whether the piece is whole rows of the cell
    ptrdiff_t place, stride;  // in the part, in values
  };
  bool find_piece(const Binning::Cell& cell, Piece& piece) const;
  template <typename ToBytes>
  void write_bytes(const Binning::Cell& cell, const Piece& piece, ToBytes&& to_bytes) const;

  PixelKind kind_;
  bool straight_;
  int channels_;
  Part part_;
  void* out_;
  const uint8_t* classes_;
};

}  // namespace gi
