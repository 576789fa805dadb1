"""The measures of quality that curves are drawn by, each as a number that rises with quality."""

from collections.abc import Callable
from dataclasses import dataclass

from lib.curves import decibels
from lib.measure import Record


@dataclass(frozen=True)
class Quality:
    """A measure as the ordinate of a curve.

    Attributes
    ----------
    key, name : str
        Name in files, and in tables.
    ordinate : str
        What a curve shows, with its unit.
    of : callable
        Function from a record to the ordinate; None if the record has no such value.
    """

    key: str
    name: str
    ordinate: str
    of: Callable[[Record], float | None]


QUALITIES = {
    quality.key: quality
    for quality in (
        Quality("psnr", "PSNR", "dB", lambda record: record.psnr),
        Quality(
            "ms_ssim",
            "MS-SSIM",
            "−10 log₁₀(1 − m), dB",
            lambda record: None if record.ms_ssim is None else decibels(record.ms_ssim),
        ),
        Quality("ssimulacra2", "SSIMULACRA 2", "score", lambda record: record.ssimulacra2),
        Quality(
            "butteraugli",
            "Butteraugli",
            "distance, 3-norm, times −1",
            lambda record: None if record.butteraugli is None else -record.butteraugli,
        ),
        Quality("cvvdp", "ColorVideoVDP", "JOD", lambda record: record.cvvdp),
    )
}
