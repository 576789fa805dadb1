"""Tables of the representation: methods (Table 1), ablations (3), initialization (5)."""

from collections.abc import Mapping
from typing import Any

from gaussianimage.paper.tables import published
from gaussianimage.paper.tables.comparison import Group, Row
from gaussianimage.paper.tables.text import (
    NONE,
    SETS,
    Table,
    difference,
    measured_on,
    no_ms_ssim,
    number,
    signed,
)

__all__ = ["MODELS", "ablation", "initialization", "is_ablation", "representation"]

MODELS = {
    "3dgs": "3D GS",
    "alpha": "Ours, alpha-blending",
    "opacity": "Ours, with opacity",
    "cholesky": "Ours",
    "rs": "Ours (RS)",
}


def representation(group: Group) -> Table:
    """Return Table 1: quality and cost of every model and number of Gaussians."""
    header = ("method", "PSNR", "MS-SSIM", "train s", "FPS", "MiB", "params K")
    rows = []
    order = ("gaussians", "model", "fill")
    for row in sorted(group.rows, key=lambda r: tuple(r.settings[name] for name in order)):
        name = f"{MODELS[row.settings['model']]}, N={row.settings['gaussians']}{filled(row)}"
        rows.append((name, *figures(row), thousands(row)))
    for line in published.REPRESENTATIONS.get(group.dataset, ()):
        quality = (f"{line.psnr:.2f}", f"{line.ms_ssim:.4f}", f"{line.seconds:.2f}")
        rest = (f"{line.fps:.2f}", str(line.memory_mib), f"{line.parameters_k:.2f}")
        rows.append((f"{line.method}, published", *quality, *rest))
    title = f"Table 1: representation of {SETS[group.dataset]}"
    kinds = {record.measured.get("memory_kind") for row in group.rows for record in row.records}
    note = measured_on(group) + no_ms_ssim(group)
    if "process" in kinds:
        note += " MiB: of the whole process on the CPU; published: on the GPU."
    return Table(title, header, tuple(rows), note)


def filled(row: Row) -> str:
    """Return the end of a row's name: ", filled" if its model started all over the picture."""
    return ", filled" if row.settings["fill"] else ""


def figures(row: Row) -> tuple[str, ...]:
    digits = {"psnr": 2, "ms_ssim": 4, "seconds": 2, "fps": 2, "memory_mib": 0}
    return tuple(number(row.mean(name), places) for name, places in digits.items())


def thousands(row: Row) -> str:
    count = row.mean("parameters")
    return NONE if count is None else f"{count / 1000:.2f}"


# The last of the losses is the final model, which is among the components too.
_ABLATIONS = (*published.COMPONENTS, *published.LOSSES[:-1])


def is_ablation(settings: Mapping[str, Any]) -> bool:
    """Whether a fit has a row in Table 3."""
    variants = [(line.model, line.loss) for line in _ABLATIONS]
    return bool(settings["offset"]) and (settings["model"], settings["loss"]) in variants


def ablation(group: Group) -> Table:
    """Return Table 3: components, factorizations and losses."""
    header = (
        *("variant", "PSNR", "paper", "Δ", "paper", "MS-SSIM", "paper"),
        *("train s", "paper", "FPS", "paper", "params K", "paper"),
    )
    final = group.row(model="cholesky", loss="l2")
    best = None if final is None else final.mean("psnr")
    # A model may have two rows, one started in a small cube and one all over the picture.
    known = [
        (line, row)
        for line in _ABLATIONS
        for row in sorted(group.rows, key=lambda r: bool(r.settings["fill"]))
        if (row.settings["model"], row.settings["loss"]) == (line.model, line.loss)
    ]
    rows = []
    for line, row in known:
        psnr, ms_ssim, seconds, fps, _ = figures(row)
        gains = difference(row.mean("psnr"), best), signed(line.psnr - _FINAL)
        quality = (psnr, f"{line.psnr:.2f}", *gains, ms_ssim, f"{line.ms_ssim:.4f}")
        times = (seconds, number(line.seconds, 2), fps, number(line.fps, 0))
        sizes = thousands(row), f"{line.parameters_k:.0f}"
        rows.append((f"{line.variant}{filled(row)}", *quality, *times, *sizes))
    title = f"Table 3: ablations on {SETS[group.dataset]}"
    note = measured_on(group) + " Paper: Kodak, N=30000. Δ: against Cholesky factors with L2."
    note += no_ms_ssim(group)
    return Table(title, header, tuple(rows), note)


_FINAL = next(line.psnr for line in published.COMPONENTS if line.model == "cholesky")


def initialization(group: Group) -> Table:
    """Return Table 5: the gain of the offset of the lengths."""
    header = ("model", "with ½", "without", "Δ", "paper: with", "without", "Δ")
    rows = []
    for model in ("cholesky", "rs"):
        pair = [group.row(model=model, offset=offset) for offset in (True, False)]
        ours = [None if row is None else row.mean("psnr") for row in pair]
        lines = [line for line in published.INITIALIZATION if line.model == model]
        theirs = [line.div2k if group.dataset == "div2k" else line.kodak for line in lines]
        if ours == [None, None]:
            continue
        cells = (*(number(value, 2) for value in ours), difference(ours[1], ours[0]))
        rows.append(
            (MODELS[model], *cells, *(f"{v:.2f}" for v in theirs), difference(*theirs[::-1]))
        )
    title = f"Table 5: half a pixel added to the lengths, PSNR on {SETS[group.dataset]}"
    note = (
        measured_on(group)
        + f" Paper: {'DIV2K ×2' if group.dataset == 'div2k' else 'Kodak'}, N=30000."
    )
    return Table(title, header, tuple(rows), note)
