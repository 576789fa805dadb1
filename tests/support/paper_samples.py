"""Records of the paper's codec to test with: small, made at once without any training."""

import math
from typing import Any

import numpy as np

from gaussianimage.codec.paper_profile.quantizers import UniformQuantizer, VectorQuantizer
from gaussianimage.codec.paper_profile.record import PaperRecord

PAPER_Q_MAX = math.log(255)


def paper_record(
    count: int,
    seed: int = 0,
    *,
    shape_bits: int = 6,
    color: str = "vector",
    color_bits: int = 3,
    stages: int = 2,
    channels: int = 3,
    repeats: bool = False,
    **options: Any,
) -> PaperRecord:
    """Return random Gaussians of a few pixels, whose indices are not all equally frequent.

    With `repeats` about a third of them are there more than once.
    """
    # Only rotations have an angle.
    options |= {"angle": True} if options.pop("angle", False) and options.get("rotation") else {}
    rng = np.random.default_rng(seed)
    middle = 2**shape_bits / 2
    shapes = np.rint(rng.normal(middle, middle / 4, (count, 3))).clip(0, 2**shape_bits - 1)
    positions = np.arctanh(rng.uniform(-0.999, 0.999, (count, 2)))
    # Scales stay well above 0, where rounding alone would decide what is drawn.
    beta = (0.1, 0.1, -4) if options.get("rotation") else (-2.5, -4, -2.5)
    shape_quantizer = UniformQuantizer(shape_bits, np.full(3, 4 / middle), np.array(beta))
    if color == "vector":
        color_quantizer: Any = VectorQuantizer(
            rng.normal(0, 0.3, (stages, 2**color_bits, channels))
        )
    else:
        scale = np.full(channels, 2 / 2**color_bits)
        color_quantizer = UniformQuantizer(color_bits, scale, np.full(channels, -1.0))
    colors = rng.binomial(2**color_bits - 1, 0.4, (count, len(color_quantizer.widths)))
    if repeats and count:
        chosen = rng.integers(0, max(count // 2, 1), count)
        positions, shapes, colors = positions[chosen], shapes[chosen], colors[chosen]
    return PaperRecord(
        positions=positions,
        shapes=shapes.astype(np.int64),
        colors=colors,
        shape_quantizer=shape_quantizer,
        color_quantizer=color_quantizer,
        **{"height": 12, "width": 16, "q_max": PAPER_Q_MAX, **options},
    )
