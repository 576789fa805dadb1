#include "render/pixels.h"

#include <algorithm>
#include <cstring>

namespace gi {
namespace {

// Clips to 0…1; a NaN becomes 0.
float unit(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }

// Rounds to the nearest integer, ties to even, for 0 <= x < 2^22.
float nearest(float x) {
  constexpr float magic = 8388608.0f;  // 2^23: above it a float has no fraction
  return (x + magic) - magic;
}

// Clips a pixel and divides it by its alpha. `alpha_class` is as_drawn if nothing is known of its
// alpha. `white`: 255, 65535, or 1 for floats.
void straighten(float* pixel, int channels, float white, uint8_t alpha_class) {
  float alpha = unit(pixel[channels - 1]);
  bool visible = white > 1 ? alpha * white >= 0.5f : alpha > 0;
  if (alpha_class != as_drawn) {
    // The color of an opaque pixel is the drawn color: dividing it by an alpha that is only nearly
    // 1 would add the error of the alpha.
    const float least = 1 / (white > 1 ? white : 65535.0f);
    alpha = alpha_class == transparent ? 0.0f
            : alpha_class == opaque    ? 1.0f
                                       : std::clamp(alpha, least, 1 - least);
    visible = alpha > 0;
  }
  for (int k = 0; k < channels - 1; ++k) {
    pixel[k] = visible ? std::min(unit(pixel[k]) / alpha, 1.0f) : 0.0f;
  }
  pixel[channels - 1] = alpha;
}

template <typename T>
void store(const float* values, int count, float white, T* out) {
  for (int i = 0; i < count; ++i) out[i] = static_cast<T>(nearest(unit(values[i]) * white));
}

}  // namespace

bool PixelSink::find_piece(const Binning::Cell& cell, Piece& piece) const {
  piece.top = std::max(cell.y, part_.top);
  piece.bottom = std::min(cell.y + cell.rows, part_.top + part_.height);
  const int left = std::max(cell.x, part_.left);
  const int right = std::min(cell.x + cell.columns, part_.left + part_.width);
  if (piece.top >= piece.bottom || left >= right) return false;
  piece.columns = (right - left) * channels_;
  piece.first = (piece.top - cell.y) / 4 * 4;  // the kernels take up to four rows together
  piece.rows = piece.bottom - cell.y - piece.first;
  piece.skipped =
      (piece.top - cell.y - piece.first) * cell_width * channels_ + (left - cell.x) * channels_;
  piece.all_columns = piece.skipped == 0 && right == cell.x + cell.columns;
  piece.stride = ptrdiff_t{part_.width} * channels_;
  piece.place = (piece.top - part_.top) * piece.stride + (left - part_.left) * channels_;
  return true;
}

// Calls to_bytes(columns, out, stride) for the piece's row pairs.
template <typename ToBytes>
void PixelSink::write_bytes(const Binning::Cell& cell, const Piece& piece,
                            ToBytes&& to_bytes) const {
  uint8_t* out = static_cast<uint8_t*>(out_) + piece.place;
  if (piece.all_columns) {
    to_bytes(cell.columns, out, piece.stride);
    return;
  }
  const int row = cell_width * channels_;
  uint8_t pixels[cell_floats(max_channels)];
  to_bytes(cell.columns, pixels, row);
  const uint8_t* p = pixels + piece.skipped;
  for (int y = piece.top; y < piece.bottom; ++y, p += row, out += piece.stride) {
    std::memcpy(out, p, static_cast<size_t>(piece.columns));
  }
}

void PixelSink::write(const Kernels& kernels, const Binning::Cell& cell, const int16_t* words,
                      const CellScale& scale) const {
  Piece piece;
  if (!find_piece(cell, piece)) return;
  words += ptrdiff_t{piece.first} * (cell_width * channels_);
  write_bytes(cell, piece, [&](int columns, uint8_t* out, ptrdiff_t stride) {
    kernels.to_bytes16(words, scale, channels_, piece.rows, columns, out, stride);
  });
}

void PixelSink::write(const Kernels& kernels, const Binning::Cell& cell,
                      const float* floats) const {
  Piece piece;
  if (!find_piece(cell, piece)) return;
  const int row = cell_width * channels_;
  floats += ptrdiff_t{piece.first} * row;
  if (kind_ == PixelKind::sums && piece.all_columns) {
    kernels.to_floats(floats, channels_, piece.rows, cell.columns,
                      static_cast<float*>(out_) + piece.place, piece.stride);
    return;
  }
  if (kind_ == PixelKind::bytes && !straight_) {
    write_bytes(cell, piece, [&](int columns, uint8_t* out, ptrdiff_t stride) {
      kernels.to_bytes(floats, channels_, piece.rows, columns, out, stride);
    });
    return;
  }
  float pixels[cell_floats(max_channels)];
  kernels.to_floats(floats, channels_, piece.rows, cell.columns, pixels, row);
  const float white = kind_ == PixelKind::bytes ? 255 : kind_ == PixelKind::words ? 65535 : 1;
  float* p = pixels + piece.skipped;
  for (int y = piece.top; y < piece.bottom; ++y, p += row) {
    const ptrdiff_t at = piece.place + (y - piece.top) * piece.stride;
    if (straight_) {
      const uint8_t* known = classes_ ? classes_ + at / channels_ : nullptr;
      for (int x = 0; x < piece.columns; x += channels_) {
        straighten(p + x, channels_, white, known ? *known++ : uint8_t{as_drawn});
      }
    }
    if (kind_ == PixelKind::bytes) {
      store(p, piece.columns, white, static_cast<uint8_t*>(out_) + at);
    } else if (kind_ == PixelKind::words) {
      store(p, piece.columns, white, static_cast<uint16_t*>(out_) + at);
    } else {
      float* out = static_cast<float*>(out_) + at;
      for (int i = 0; i < piece.columns; ++i) {
        out[i] = kind_ == PixelKind::sums ? p[i] : unit(p[i]);
      }
    }
  }
}

}  // namespace gi
