"""The targets of the encoder and their ranges."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, cast, get_args

from gaussianimage._util.arguments import choice, integer, number
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS

# At this quality photos look good, though not like the source.
DEFAULT_QUALITY = 75.0

# Pictures of at most this many pixels are fitted from several starts, and for PSNR.
FEW_PIXELS = 1024

# What the encoder optimizes: what a person sees, or the squared error.
Tune = Literal["eye", "psnr"]
TUNES: tuple[Tune, ...] = get_args(Tune)


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

    def choose_tune(self, tune: object) -> Tune:
        """Check what the encoder is asked to optimize, and choose it if it is None.

        A target in PSNR is reached by the smallest file if PSNR is optimized. All other files are
        for the eye.

        Raises
        ------
        TypeError, ValueError
            It is not one of `TUNES`.
        """
        if tune is None:
            return "psnr" if self.kind == "psnr" else "eye"
        return cast(Tune, choice("tune", tune, TUNES))

    def file_bytes(self, pixels: int) -> float | None:
        """Return the largest size in bytes of a file with `pixels` pixels.

        None for a target that doesn't bound the size.
        """
        if self.kind == "size":
            return self.value
        if self.kind == "bpp":
            return self.value * pixels / 8
        return None
