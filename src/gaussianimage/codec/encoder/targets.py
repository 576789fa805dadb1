"""What an encoder aims at, and the range of each target."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from gaussianimage._util.arguments import integer, number
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS

DEFAULT_QUALITY = 60.0


class Range(NamedTuple):
    """The least and the largest value of a target, both allowed."""

    least: float
    most: float


TARGETS = {
    "quality": Range(0.0, 100.0),
    "gaussians": Range(1.0, float(MAX_FITTED_GAUSSIANS)),
    "bpp": Range(1e-4, 64.0),
    "size": Range(1.0, 2.0**40),
    "psnr": Range(1.0, 100.0),
    "ssim": Range(0.0, 0.9999),
}
INTEGERS = ("gaussians", "size")


@dataclass(frozen=True)
class Target:
    """One of the six targets of `encode`, checked.

    Attributes
    ----------
    kind : str
        A key of `TARGETS`.
    value : float
    """

    kind: str
    value: float

    @classmethod
    def parse(
        cls,
        *,
        quality: float | None = None,
        gaussians: int | None = None,
        bpp: float | None = None,
        size: int | None = None,
        psnr: float | None = None,
        ssim: float | None = None,
    ) -> Self:
        """Check that at most one target is given and that it is in its range.

        Raises
        ------
        TypeError, ValueError
            More than one target is given, or a value is no number or out of its range.
        """
        everything = {
            "quality": quality,
            "gaussians": gaussians,
            "bpp": bpp,
            "size": size,
            "psnr": psnr,
            "ssim": ssim,
        }
        given = {kind: value for kind, value in everything.items() if value is not None}
        if len(given) > 1:
            raise ValueError(f"expected one target, got {' and '.join(given)}")
        kind, value = next(iter(given.items()), ("quality", DEFAULT_QUALITY))
        if kind in INTEGERS:
            value = integer(kind, value)
        return cls(kind, number(kind, value, *TARGETS[kind]))

    def file_bytes(self, pixels: int) -> float | None:
        """Return the largest size of a file of so many pixels; None for other targets."""
        if self.kind == "size":
            return self.value
        if self.kind == "bpp":
            return self.value * pixels / 8
        return None
