"""Any bytes as a file of the paper's profile: quantizers, Gaussians, and all streams of them."""

from pathlib import Path

from support.mutation import mutate_file
from support.outcome import attempt

import gaussianimage

DATA = Path(__file__).parents[2] / "tests" / "data" / "v1" / "paper"
LIMITS = gaussianimage.Limits(
    max_pixels=2**18, max_work=2**22, max_gaussians=2**14, max_memory=2**26, max_metadata=2**20
)

mutate = mutate_file


def seeds() -> list[bytes]:
    """Return the golden files."""
    return [path.read_bytes() for path in sorted(DATA.glob("*.gimg"))]


def check(data: bytes) -> str:
    """Decode the file to pixels and Gaussians."""
    found = attempt(lambda: gaussianimage.info(data, limits=LIMITS))
    pixels = attempt(lambda: gaussianimage.decode(data, threads=1, limits=LIMITS))
    larger = attempt(lambda: gaussianimage.decode(data, threads=1, size=(40, 31), limits=LIMITS))
    gaussians = attempt(lambda: gaussianimage.decode_gaussians(data, threads=1, limits=LIMITS))
    assert pixels.error is not None or (found.error is None and gaussians.error is None)
    return ", ".join(outcome.name for outcome in (found, pixels, larger, gaussians))
