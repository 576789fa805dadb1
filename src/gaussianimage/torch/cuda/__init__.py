"""Triton kernels for CUDA; with TRITON_INTERPRET=1 the same code runs on a CPU, slowly.

A picture is cut into tiles of 8 x 8 pixels. Every Gaussian has an *entry* for each tile that the
box around its ellipse touches; entries are numbered Gaussian by Gaussian. Each tile has a list of
its entries, in the order of the Gaussians. The drawing kernel runs over tiles. So does the
gradient's, which writes one row of sums per entry; then each Gaussian adds its own rows. No two
programs ever write to the same place, and where memory is reserved by atomic additions no result
depends on the place. So the order in which programs run does not matter and the same inputs give
the same bits.
"""
