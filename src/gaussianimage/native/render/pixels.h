// From the cells of a drawn picture to the pixels that a caller wants.
#pragma once

#include "render/alpha_class.h"
#include "render/binning.h"
#include "render/fixed_point.h"
#include "simd/kernels.h"

namespace gi {

enum class PixelKind {
  sums,    // float, as they are
  floats,  // float, 0 to 1
  bytes,   // uint8, 0 to 255, rounded to nearest
  words,   // uint16, 0 to 65535, likewise
};

constexpr size_t bytes_per_value(PixelKind kind) {
  return kind == PixelKind::bytes ? 1 : kind == PixelKind::words ? 2 : 4;
}

// Writes the pixels of a part of the window, row by row, from whichever cells they come.
class PixelSink {
 public:
  // `straight`: whether the last channel is alpha, by which the others are to be divided. Where it
  // rounds to nothing they become 0. `classes`: what is known of the part's alpha, a class for each
  // pixel, if anything is.
  PixelSink(PixelKind kind, bool straight, int channels, const Part& part, void* out,
            const uint8_t* classes = nullptr)
      : kind_(kind),
        straight_(straight),
        channels_(channels),
        part_(part),
        out_(out),
        classes_(classes) {}

  const Part& part() const { return part_; }

  // Whether cells may come in words of 16 bits.
  bool takes_words() const { return kind_ == PixelKind::bytes && !straight_; }

  // Writes what a cell has of the part. Safe for several threads, as cells don't overlap.
  void write(const Kernels& kernels, const Binning::Cell& cell, const float* floats) const;
  void write(const Kernels& kernels, const Binning::Cell& cell, const int16_t* words,
             const CellScale& scale) const;

 private:
  // What of a cell is to be written, and where.
  struct Piece {
    int top, bottom;          // rows [top, bottom) of the window
    int columns;              // of its pixels' values
    int first, rows;          // whole row pairs of the cell, as it has them
    int skipped;              // values before the piece in them, when rows have 8 pixels
    bool all_columns;         // of the cell, from the first of these rows on
    ptrdiff_t place, stride;  // in the pixels
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
