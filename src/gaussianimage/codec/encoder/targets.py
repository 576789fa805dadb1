"""The targets of the encoder and their ranges."""

from dataclasses import dataclass
from typing import NamedTuple, Self

from gaussianimage._util.arguments import integer, number
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS

DEFAULT_QUALITY = 60.0


class Range(NamedTuple):
    """The least and the largest allowed value of a target."""

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
        """Return the one target that is given, or the default quality if none is.

        Raises
        ------
        TypeError, ValueError
            There is more than one target, or its value is not a number or out of range.
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
        """Return the largest size in bytes of a file with `pixels` pixels.

        None for a target that doesn't bound the size.
        """
        if self.kind == "size":
            return self.value
        if self.kind == "bpp":
            return self.value * pixels / 8
        return None
