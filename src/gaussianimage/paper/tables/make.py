"""The paper's tables with results of this package beside the published numbers."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from gaussianimage.paper.results import Record
from gaussianimage.paper.tables.codec import complexity, is_variant, points, quantization, variants
from gaussianimage.paper.tables.comparison import Group, grouped
from gaussianimage.paper.tables.methods import methods
from gaussianimage.paper.tables.others import other_codecs, other_fits
from gaussianimage.paper.tables.representation import (
    ablation,
    initialization,
    is_ablation,
    representation,
)
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
        (4), initialization (5) and the points of the rate–distortion figure. Then come the fits and
        codecs that no table of the paper has a row for, and methods after the paper.
    """
    fits = [record for record in records if record.kind == "represent"]
    codings = [record for record in records if record.kind == "compress"]
    usual = grouped(fits, _SIZES, _usual)
    curves = rate_distortion_groups(codings)
    components = grouped(fits, ("model", "loss", "fill"), is_ablation)
    components = [group for group in components if len(group.rows) > 1]
    quantizers = [g for g in grouped(codings, _QUANTIZERS, is_variant) if variants(g) > 1]
    offsets = grouped(fits, ("model", "offset"), lambda s: s["model"] in ("cholesky", "rs"))
    offsets = [g for g in offsets if {row.settings["offset"] for row in g.rows} == _BOTH]
    tables = [representation(group) for group in usual]
    tables += [complexity(group) for group in curves]
    tables += [ablation(group) for group in components]
    tables += [quantization(group) for group in quantizers]
    tables += [initialization(group) for group in offsets]
    tables += [points(group) for group in curves]
    tables += [other_fits(groups) for groups in _others(fits, [*usual, *components, *offsets])]
    tables += [other_codecs(groups) for groups in _others(codings, [*curves, *quantizers])]
    after = [record for record in records if record.kind == "methods"]
    varying = ("method", "codec", "gaussians", "iterations")
    return tables + [methods(group) for group in grouped(after, varying)]


def _others(records: Sequence[Record], shown: Sequence[Group]) -> list[list[Group]]:
    """Return the results without a row in these groups, by dataset; a group for each setting."""
    rows = {_identity(g.dataset, row.settings) for g in shown for row in g.rows}
    left = [r for r in records if _identity(r.dataset, r.settings) not in rows]
    by_dataset = groupby(grouped(left, ()), lambda group: group.dataset)
    return [list(groups) for _, groups in by_dataset]


def _identity(dataset: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    return dataset, json.dumps(settings, sort_keys=True)


def rate_distortion_groups(records: Sequence[Record]) -> list[Group]:
    """Return groups of the codec's results that differ in N only, one for each figure."""
    codings = [record for record in records if record.kind == "compress"]
    return grouped(codings, ("gaussians",), _final)
