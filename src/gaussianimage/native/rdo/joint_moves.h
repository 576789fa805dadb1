// Guesses which changes of several integers of a Gaussian at once lower its cost most.
#pragma once

#include "layer/quantized_gaussian.h"

namespace gi {

// A change by -1, 0 or 1 along each of the two steps of the center's lattice and in each of the
// three integers of the shape.
struct JointMove {
  int center[2], shape[3];
  double value;  // that is guessed
};

constexpr int most_joint_moves = 16;

// The values of single changes against none: by -1, 0 and 1 along the two steps of the lattice,
// then in the three integers of the shape. Infinite if a change is not possible.
struct SingleMoves {
  double values[5][3];
};

// Writes the changes of two or more integers whose guessed value is below `limit` to `moves`, the
// best first, most_joint_moves at most, and returns their number.
//
// Squared error is nearly a quadratic of small changes, whose curvature is that of the Gaussian
// itself. So a joint change is worth the sum of its single ones plus the products of the Gaussian's
// derivatives, which have a closed form. `energy` is the squared norm of the drawn Gaussian.
int guess_joint_moves(const Quantizer& quantizer, const QuantizedGaussian& gaussian, double energy,
                      const SingleMoves& singles, double limit, JointMove* moves);

}  // namespace gi
