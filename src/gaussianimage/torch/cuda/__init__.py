"""Triton kernels for CUDA; with TRITON_INTERPRET=1 the same code runs on a CPU, slowly.

A picture is cut into tiles of 16 x 16 pixels. Every Gaussian has an *entry* for each tile that the
box around its ellipse touches. Entries are numbered Gaussian by Gaussian; a stable sort by tile
makes the tiles' lists, each in the order of the Gaussians. The drawing kernel runs over tiles. So
does the gradient's, which writes one row of sums per entry; then each Gaussian adds its own rows.
No two programs ever write to the same place, so the order in which they run does not matter and the
same inputs give the same bits.
"""
