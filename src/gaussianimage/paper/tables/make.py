"""The paper's tables with results of this package beside the published numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from gaussianimage.paper.results import Record
from gaussianimage.paper.tables.codec import complexity, points, quantization, variants
from gaussianimage.paper.tables.comparison import Group, grouped
from gaussianimage.paper.tables.methods import methods
from gaussianimage.paper.tables.representation import ablation, initialization, representation
from gaussianimage.paper.tables.text import Table

__all__ = ["Table", "make_tables", "rate_distortion_groups"]

_SIZES = ("model", "gaussians", "loss", "fill")
_QUANTIZERS = ("gaussians", "color", "color_bits", "stages", "entries", "commitment")
_BOTH = {True, False}


def _usual(settings: Mapping[str, Any]) -> bool:
    """Whether a fit belongs to Table 1, rather than to the ablations only."""
    return bool(settings["offset"]) and settings["loss"] == (
        "l1+ssim" if settings["model"] == "3dgs" else "l2"
    )


def _final(settings: Mapping[str, Any]) -> bool:
    """Whether a codec is the final one and not a variant of Table 4."""
    return settings["color"] == "rvq" and bool(settings["commitment"])


def make_tables(records: Sequence[Record]) -> list[Table]:
    """Return every table for which there are results.

    Parameters
    ----------
    records : sequence of Record
        Results of any kinds, settings and pictures; a table holds only comparable results.

    Returns
    -------
    list of Table
        Ordered as in the paper: representation (1), complexity (2), ablations (3), quantization
        (4), initialization (5), the points of the rate–distortion figure, and methods after the
        paper.
    """
    fits = [record for record in records if record.kind == "represent"]
    codings = [record for record in records if record.kind == "compress"]
    tables = [representation(group) for group in grouped(fits, _SIZES, _usual)]
    tables += [complexity(group) for group in rate_distortion_groups(codings)]
    components = grouped(fits, ("model", "loss", "fill"), lambda settings: bool(settings["offset"]))
    tables += [ablation(group) for group in components if len(group.rows) > 1]
    tables += [quantization(g) for g in grouped(codings, _QUANTIZERS) if variants(g) > 1]
    offsets = grouped(fits, ("model", "offset"), lambda s: s["model"] in ("cholesky", "rs"))
    tables += [
        initialization(g) for g in offsets if {r.settings["offset"] for r in g.rows} == _BOTH
    ]
    tables += [points(group) for group in rate_distortion_groups(codings)]
    others = [record for record in records if record.kind == "methods"]
    varying = ("method", "codec", "gaussians", "iterations")
    return tables + [methods(group) for group in grouped(others, varying)]


def rate_distortion_groups(records: Sequence[Record]) -> list[Group]:
    """Return groups of the codec's results that differ in N only, one for each figure."""
    codings = [record for record in records if record.kind == "compress"]
    return grouped(codings, ("gaussians",), _final)
