#include "rdo/joint_moves.h"

#include <array>
#include <cmath>

#include "layer/dequantize.h"

namespace gi {
namespace {

// A symmetric 2 × 2 matrix (xx, xy; xy, yy).
using Symmetric = std::array<double, 3>;

Symmetric covariance(double s, double d1, double d2) {
  const double r = std::sqrt(d1 * d1 + d2 * d2);
  const Factor factor = make_factor(d1, d2, r, std::exp(2 * r), std::exp(s));
  return {factor.l11 * factor.l11, factor.l11 * factor.l21,
          factor.l21 * factor.l21 + factor.l22 * factor.l22};
}

Symmetric inverse_of(const Symmetric& m) {
  const double determinant = m[0] * m[2] - m[1] * m[1];
  return {m[2] / determinant, -m[1] / determinant, m[0] / determinant};
}

// What two changes at once add to the sum of their values, for changes by one step: twice the
// product of the derivatives. Those of a Gaussian of unit energy by its center are Σ⁻¹ / 2, those
// by its shape tr(Σ⁻¹ ∂ᵢΣ Σ⁻¹ ∂ⱼΣ) / 8, and those of a center and a shape are orthogonal.
struct Products {
  double centers, shapes[3];  // shapes: of integers 0 and 1, 0 and 2, 1 and 2
};

Products find_products(const Quantizer& quantizer, const QuantizedGaussian& gaussian,
                       double energy) {
  const double step = shape_step(quantizer, gaussian.amplitude);
  double at[3];
  for (int k = 0; k < 3; ++k) at[k] = gaussian.shape[k] * step;
  const Symmetric inverse = inverse_of(covariance(at[0], at[1], at[2]));
  double ways[3][4];  // Σ⁻¹ ∂Σ, row by row
  for (int k = 0; k < 3; ++k) {
    const auto moved = [&](double by) {
      return covariance(at[0] + (k == 0) * by, at[1] + (k == 1) * by, at[2] + (k == 2) * by);
    };
    const Symmetric above = moved(step / 2), below = moved(-step / 2);
    double change[3];
    for (size_t i = 0; i < 3; ++i) change[i] = above[i] - below[i];
    ways[k][0] = inverse[0] * change[0] + inverse[1] * change[1];
    ways[k][1] = inverse[0] * change[1] + inverse[1] * change[2];
    ways[k][2] = inverse[1] * change[0] + inverse[2] * change[1];
    ways[k][3] = inverse[1] * change[1] + inverse[2] * change[2];
  }
  const auto product = [&](int i, int j) {
    return energy / 4 *
           (ways[i][0] * ways[j][0] + ways[i][1] * ways[j][2] + ways[i][2] * ways[j][1] +
            ways[i][3] * ways[j][3]);
  };
  const CenterSteps steps = center_steps(quantizer, gaussian);
  const Point u = steps.column, v = steps.point;
  const double centers =
      u.x * (inverse[0] * v.x + inverse[1] * v.y) + u.y * (inverse[1] * v.x + inverse[2] * v.y);
  return {energy * centers, {product(0, 1), product(0, 2), product(1, 2)}};
}

}  // namespace

int guess_joint_moves(const Quantizer& quantizer, const QuantizedGaussian& gaussian, double energy,
                      const SingleMoves& singles, double limit, JointMove* moves) {
  const Products products = find_products(quantizer, gaussian, energy);
  const auto& single = singles.values;
  double shapes[27];
  for (int t = 0; t < 27; ++t) {
    const int a = t / 9 - 1, b = t / 3 % 3 - 1, c = t % 3 - 1;
    shapes[t] = single[2][a + 1] + single[3][b + 1] + single[4][c + 1] +
                a * b * products.shapes[0] + a * c * products.shapes[1] +
                b * c * products.shapes[2];
  }
  int count = 0;
  for (int center = 0; center < 9; ++center) {
    const int u = center / 3 - 1, v = center % 3 - 1;
    const double of_center = single[0][u + 1] + single[1][v + 1] + u * v * products.centers;
    for (int t = 0; t < 27; ++t) {
      const int a = t / 9 - 1, b = t / 3 % 3 - 1, c = t % 3 - 1;
      if ((u != 0) + (v != 0) + (a != 0) + (b != 0) + (c != 0) < 2) continue;
      const double value = of_center + shapes[t];
      if (!(value < limit)) continue;
      if (count == most_joint_moves && !(value < moves[count - 1].value)) continue;
      int place = count < most_joint_moves ? count++ : count - 1;
      for (; place > 0 && moves[place - 1].value > value; --place) moves[place] = moves[place - 1];
      moves[place] = {{u, v}, {a, b, c}, value};
    }
  }
  return count;
}

}  // namespace gi
