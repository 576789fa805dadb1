"""The options of the codec's quantizers, for the rows of the paper's Table 4 and others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gaussianimage.cli.options import Function, packed
from gaussianimage.cli.paper.options import Listed

if TYPE_CHECKING:
    from gaussianimage.paper.quantized_model import QuantizerSettings

__all__ = ["QuantizerOptions", "quantizer_options"]

VARIANTS = ("final", "v1", "v2", "v3")


@dataclass(frozen=True)
class QuantizerOptions:
    """The quantizers that a user chose: rows of Table 4, or a quantizer set up by options."""

    variants: tuple[str, ...] | None
    covariance_bits: int | None
    color: str | None
    color_bits: int | None
    stages: int | None
    entries: int | None
    commitment: bool | None
    scaling: bool | None
    angle: bool | None

    def settings(self) -> "list[QuantizerSettings]":
        """Return the settings of the quantizers.

        Raises
        ------
        UsageError
            If rows and switches are given together, or switches contradict each other.
        """
        from gaussianimage.paper import quantized_model

        switches = {k: v for k, v in vars(self).items() if k != "variants" and v is not None}
        if self.variants is not None:
            if switches:
                name = f"--{next(iter(switches)).replace('_', '-')}"
                raise click.UsageError(f"--variants sets all; leave out {name}.")
            return [quantized_model.VARIANTS[name] for name in self.variants]
        integers = self.color == "int"
        lost = ("stages", "entries", "commitment") if integers else ("color_bits",)
        for name in lost:
            if name in switches:
                kind = "rvq" if integers else "int"
                raise click.UsageError(f"--{name.replace('_', '-')} is for --color {kind}.")
        entries = switches.get("entries", 2)
        if entries & (entries - 1):
            raise click.UsageError(f"--entries is a power of two, not {entries}.")
        return [quantized_model.QuantizerSettings(**switches)]


def quantizer_options(function: Function) -> Function:
    """Add the switches of the quantizers; the function gets them as `quantizers`."""
    return packed(
        function,
        "quantizers",
        QuantizerOptions,
        click.option(
            "--variants",
            type=Listed(click.Choice(VARIANTS)),
            metavar="NAME,...",
            help="Rows of Table 4: final; v1, without commitment loss; v2 and v3, with 6-bit and "
            "8-bit integers for color.  [default: final]",
        ),
        click.option(
            "--covariance-bits",
            type=click.IntRange(1, 12),
            metavar="B",
            help="Bits per number of a shape.  [default: 6]",
        ),
        click.option(
            "--color",
            type=click.Choice(["rvq", "int"]),
            help="Residual vector quantization or integers.  [default: rvq]",
        ),
        click.option(
            "--color-bits",
            type=click.IntRange(1, 12),
            metavar="B",
            help="Bits per channel with --color int.  [default: 6]",
        ),
        click.option(
            "--stages",
            type=click.IntRange(1, 8),
            metavar="N",
            help="Number of codebooks.  [default: 2]",
        ),
        click.option(
            "--entries",
            type=click.IntRange(2, 256),
            metavar="N",
            help="Number of entries of each codebook, a power of two.  [default: 8]",
        ),
        click.option(
            "--commitment/--no-commitment",
            default=None,
            help="Whether a loss pulls colors to their entries.  [default: commitment]",
        ),
        click.option(
            "--scaling/--no-scaling",
            default=None,
            help="Whether gradients of quantizers are scaled as in LSQ; the released code does not "
            "scale them.  [default: scaling]",
        ),
        click.option(
            "--angle/--no-angle",
            default=None,
            help="Whether the model rs quantizes its angle itself, as the released code does, "
            "rather than the number before the sigmoid.  [default: no-angle]",
        ),
    )
