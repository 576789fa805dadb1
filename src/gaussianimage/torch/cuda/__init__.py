"""Triton kernels for CUDA; with TRITON_INTERPRET=1 the same code runs on a CPU, slowly.

A picture is cut into tiles of 16 x 16 pixels, and every Gaussian has an *entry* for each tile that
the box around its ellipse touches. Entries are numbered Gaussian by Gaussian; a stable sort by tile
makes the tiles' lists, each in the order of the Gaussians. Drawing runs over tiles. So does the
gradient, which leaves one row of sums per entry; then each Gaussian adds its own rows. No two
programs ever write to the same place, so nothing depends on the order in which they run: the same
inputs give the same bits.
"""

try:
    import triton as _triton
except ModuleNotFoundError as error:
    if error.name != "triton":
        raise
    raise ModuleNotFoundError(
        "gaussianimage.torch needs Triton to draw on CUDA: pip install gaussianimage[torch]",
        name="triton",
    ) from error

del _triton
