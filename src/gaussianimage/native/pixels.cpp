#include "pixels.h"

#include <algorithm>
#include <cstring>

namespace gi {
namespace {

// To 0…1; a NaN becomes 0.
float unit(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }

// To the nearest integer, ties to even, for 0 <= x < 2^22.
float nearest(float x) {
  constexpr float magic = 8388608.0f;  // 2^23: above it a float has no fraction
  return (x + magic) - magic;
}

// Clips a pixel and divides it by its alpha. `white`: 255, 65535, or 1 for floats.
void straighten(float* pixel, int channels, float white) {
  const float alpha = unit(pixel[channels - 1]);
  const bool visible = white > 1 ? alpha * white >= 0.5f : alpha > 0;
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

void PixelSink::write(const Kernels& kernels, const Schedule::Cell& cell,
                      const float* floats) const {
  const int top = std::max(cell.y, part_.top);
  const int bottom = std::min(cell.y + cell.rows, part_.top + part_.height);
  const int left = std::max(cell.x, part_.left);
  const int right = std::min(cell.x + cell.columns, part_.left + part_.width);
  if (top >= bottom || left >= right) return;
  const int row = cell_width * channels_, columns = (right - left) * channels_;
  const ptrdiff_t stride = ptrdiff_t{part_.width} * channels_;
  const ptrdiff_t place = (top - part_.top) * stride + (left - part_.left) * channels_;
  // Whole row pairs, as a cell has them.
  const int first = (top - cell.y) / 2 * 2, rows = bottom - cell.y - first;
  const int skipped = (top - cell.y - first) * row + (left - cell.x) * channels_;
  floats += ptrdiff_t{first} * row;
  const bool all_columns = skipped == 0 && right == cell.x + cell.columns;
  constexpr size_t room = cell_floats(max_channels);

  if (kind_ == PixelKind::sums && all_columns) {
    kernels.to_floats(floats, channels_, rows, cell.columns, static_cast<float*>(out_) + place,
                      stride);
    return;
  }
  if (kind_ == PixelKind::bytes && !straight_) {
    uint8_t* out = static_cast<uint8_t*>(out_) + place;
    if (all_columns) {
      kernels.to_bytes(floats, channels_, rows, cell.columns, out, stride);
      return;
    }
    uint8_t pixels[room];
    kernels.to_bytes(floats, channels_, rows, cell.columns, pixels, row);
    const uint8_t* p = pixels + skipped;
    for (int y = top; y < bottom; ++y, p += row, out += stride) {
      std::memcpy(out, p, static_cast<size_t>(columns));
    }
    return;
  }
  float pixels[room];
  kernels.to_floats(floats, channels_, rows, cell.columns, pixels, row);
  const float white = kind_ == PixelKind::bytes ? 255 : kind_ == PixelKind::words ? 65535 : 1;
  float* p = pixels + skipped;
  for (int y = top; y < bottom; ++y, p += row) {
    const ptrdiff_t at = place + (y - top) * stride;
    if (straight_) {
      for (int x = 0; x < columns; x += channels_) straighten(p + x, channels_, white);
    }
    if (kind_ == PixelKind::bytes) {
      store(p, columns, white, static_cast<uint8_t*>(out_) + at);
    } else if (kind_ == PixelKind::words) {
      store(p, columns, white, static_cast<uint16_t*>(out_) + at);
    } else {
      float* out = static_cast<float*>(out_) + at;
      for (int i = 0; i < columns; ++i) out[i] = kind_ == PixelKind::sums ? p[i] : unit(p[i]);
    }
  }
}

}  // namespace gi
