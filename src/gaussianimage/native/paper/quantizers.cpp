#include "paper/quantizers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

namespace gi::paper {
namespace {

// The least step; division by a smaller one could overflow.
constexpr float least_scale = 1e-8f;

// An entry is dead if its vectors are less than this part of an even share.
constexpr float dead_share = 0.01f;

constexpr float smoothing = 1e-5f;

// Rounds x in 0 … 4095, half to even: adding 1.5 * 2²³ leaves no bits below 1.
float nearest_integer(float x) { return (x + 12582912.0f) - 12582912.0f; }

}  // namespace

// Ties go to the number whose last bit is 0. Halves have 11 bits, and below 2⁻¹⁴ a spacing of 2⁻²⁴.
float half_precision(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) return value;  // an infinity or NaN
  if (magnitude >= 0x477ff000u) return std::copysign(HUGE_VALF, value);
  if (magnitude < 0x38800000u) {
    // Adding 1/2 leaves the last bit at 2⁻²⁴.
    return std::copysign((std::fabs(value) + 0.5f) - 0.5f, value);
  }
  bits = (bits + 0xfffu + (bits >> 13 & 1)) & ~uint32_t{0x1fff};
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

UniformColumns::UniformColumns(Parameter& scale, Parameter& beta, int most, float factor)
    : scale_(scale), beta_(beta), most_(static_cast<float>(most)), factor_(factor) {}

// The last bit of both depends on the factor of their gradients, as it does in PyTorch.
UniformColumns::Column UniformColumns::column(size_t j) const {
  const auto scaled = [&](float x) { return x * factor_ + (x - x * factor_); };
  return {scaled(std::max(std::fabs(scale_.value[j]), least_scale)), scaled(beta_.value[j])};
}

void UniformColumns::round(const float* values, size_t rows, float* out) const {
  const size_t columns = scale_.size();
  for (size_t j = 0; j < columns; ++j) {
    const Column c = column(j);
    for (size_t i = j; i < rows * columns; i += columns) {
      const float exact = std::clamp((values[i] - c.beta) / c.scale, 0.0f, most_);
      out[i] = nearest_integer(exact) * c.scale + c.beta;
    }
  }
}

void UniformColumns::differentiate(const float* values, const float* by_rounded, size_t rows,
                                   float* by_value) {
  const size_t columns = scale_.size();
  for (size_t j = 0; j < columns; ++j) {
    const Column c = column(j);
    double by_scale = 0, by_beta = 0;
    for (size_t i = j; i < rows * columns; i += columns) {
      const float g = by_rounded[i], quotient = (values[i] - c.beta) / c.scale;
      const bool inside = quotient >= 0 && quotient <= most_;
      const float level = nearest_integer(std::clamp(quotient, 0.0f, most_));
      by_scale += double{g} * (inside ? level - quotient : level);
      by_beta += inside ? 0 : g;
      by_value[i] = inside ? g : 0.0f;
    }
    const float scale = scale_.value[j];
    const bool least = std::fabs(scale) < least_scale;
    const double direction = least || scale == 0 ? 0 : scale > 0 ? 1 : -1;
    scale_.gradient[j] = static_cast<float>(by_scale) * factor_ * static_cast<float>(direction);
    beta_.gradient[j] = static_cast<float>(by_beta) * factor_;
  }
}

Codebooks::Codebooks(size_t stages, size_t entries, size_t channels, State state, double decay,
                     bool revive)
    : state(std::move(state)),
      stages_(stages),
      entries_(entries),
      channels_(channels),
      weight_(static_cast<float>(1 - decay)),
      revive_(revive),
      residuals_(stages + 1),
      nearest_(stages) {
  best = this->state;
}

void Codebooks::code(const float* values, size_t rows, float* out) {
  const size_t size = rows * channels_;
  rows_ = rows;
  residuals_[0].assign(values, values + size);
  std::fill_n(out, size, 0.0f);
  for (size_t stage = 0; stage < stages_; ++stage) {
    residuals_[stage + 1].resize(size);
    nearest_[stage].resize(rows);
    const float* const residuals = residuals_[stage].data();
    float* const left = residuals_[stage + 1].data();
    code_stage(stage, residuals, left);
    const float* const entry = state.entries.data() + stage * entries_ * channels_;
    for (size_t i = 0; i < rows; ++i) {
      for (size_t k = 0; k < channels_; ++k) {
        const size_t at = i * channels_ + k;
        const float chosen = entry[nearest_[stage][i] * channels_ + k];
        // As the gradient is passed on in PyTorch.
        out[at] += residuals[at] + (chosen - residuals[at]);
      }
    }
  }
}

// Finds the nearest entries of one stage and what they leave. The first of equally near entries is
// taken.
void Codebooks::code_stage(size_t stage, const float* residuals, float* left) {
  const float* const entry = state.entries.data() + stage * entries_ * channels_;
  for (size_t i = 0; i < rows_; ++i) {
    const float* const x = residuals + i * channels_;
    float least = HUGE_VALF;
    size_t found = 0;
    for (size_t e = 0; e < entries_; ++e) {
      float distance = 0;
      for (size_t k = 0; k < channels_; ++k) {
        const float away = x[k] - entry[e * channels_ + k];
        distance += away * away;
      }
      if (distance < least) {
        least = distance;
        found = e;
      }
    }
    nearest_[stage][i] = static_cast<uint16_t>(found);
    for (size_t k = 0; k < channels_; ++k) {
      left[i * channels_ + k] = x[k] - entry[found * channels_ + k];
    }
  }
}

void Codebooks::differentiate(bool commitment, float* gradient) const {
  const size_t size = rows_ * channels_;
  const float each = commitment ? 2.0f / static_cast<float>(size) : 0.0f;
  for (size_t i = 0; i < size; ++i) {
    float left = 0;
    for (size_t stage = 0; stage < stages_; ++stage) left += residuals_[stage + 1][i];
    gradient[i] = static_cast<float>(stages_) * gradient[i] + each * left;
  }
}

void Codebooks::adapt() {
  std::vector<double> count(entries_), total(entries_ * channels_);
  for (size_t stage = 0; stage < stages_; ++stage) {
    const float* const residuals = residuals_[stage].data();
    std::fill(count.begin(), count.end(), 0.0);
    std::fill(total.begin(), total.end(), 0.0);
    for (size_t i = 0; i < rows_; ++i) {
      const size_t e = nearest_[stage][i];
      ++count[e];
      for (size_t k = 0; k < channels_; ++k)
        total[e * channels_ + k] += residuals[i * channels_ + k];
    }
    float* const counts = state.counts.data() + stage * entries_;
    float* const sums = state.sums.data() + stage * entries_ * channels_;
    float* const entry = state.entries.data() + stage * entries_ * channels_;
    for (size_t e = 0; e < entries_; ++e) {
      counts[e] += weight_ * (static_cast<float>(count[e]) - counts[e]);
    }
    for (size_t j = 0; j < entries_ * channels_; ++j) {
      sums[j] += weight_ * (static_cast<float>(total[j]) - sums[j]);
    }
    const float mass = std::accumulate(counts, counts + entries_, 0.0f);
    for (size_t e = 0; e < entries_; ++e) {
      const float smoothed =
          (counts[e] + smoothing) / (mass + static_cast<float>(entries_) * smoothing) * mass;
      for (size_t k = 0; k < channels_; ++k) {
        entry[e * channels_ + k] = sums[e * channels_ + k] / smoothed;
      }
    }
    if (revive_) revive(stage, residuals, residuals_[stage + 1].data());
  }
}

// Moves the dead entries of a stage to the vectors with the largest errors, one after the other.
void Codebooks::revive(size_t stage, const float* residuals, const float* left) {
  float* const counts = state.counts.data() + stage * entries_;
  const float share = static_cast<float>(rows_) / static_cast<float>(entries_);
  const auto is_dead = [&](float count) { return count < dead_share * share; };
  const auto dead = static_cast<size_t>(std::count_if(counts, counts + entries_, is_dead));
  if (dead == 0) return;
  std::vector<float> errors(rows_);
  for (size_t i = 0; i < rows_; ++i) {
    for (size_t k = 0; k < channels_; ++k) {
      errors[i] += left[i * channels_ + k] * left[i * channels_ + k];
    }
    if (!(errors[i] >= 0)) errors[i] = 0;  // a NaN has no place in an order
  }
  std::vector<size_t> worst(rows_);
  std::iota(worst.begin(), worst.end(), size_t{0});
  const size_t most = std::min(dead, rows_);
  std::partial_sort(
      worst.begin(), worst.begin() + static_cast<ptrdiff_t>(most), worst.end(),
      [&](size_t a, size_t b) { return errors[a] != errors[b] ? errors[a] > errors[b] : a < b; });
  size_t next = 0;
  for (size_t e = 0; e < entries_ && next < most; ++e) {
    if (!is_dead(counts[e])) continue;
    const size_t i = worst[next++];
    if (!(errors[i] > 0)) continue;
    counts[e] = share;
    for (size_t k = 0; k < channels_; ++k) {
      const size_t at = (stage * entries_ + e) * channels_ + k;
      state.entries[at] = residuals[i * channels_ + k];
      state.sums[at] = residuals[i * channels_ + k] * share;
    }
  }
}

}  // namespace gi::paper
