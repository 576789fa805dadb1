"""Tables of the codec: complexity (Table 2), quantizers (Table 4), rate–distortion points."""

from collections.abc import Callable, Mapping
from typing import Any

from gaussianimage.metrics.bd_rate import bd_psnr, bd_rate
from gaussianimage.paper.tables import published
from gaussianimage.paper.tables.comparison import Group, Row
from gaussianimage.paper.tables.text import (
    NONE,
    SETS,
    Table,
    by_count,
    measured_on,
    no_ms_ssim,
    number,
    percent,
    signed,
    speed,
)

__all__ = ["complexity", "is_variant", "points", "quantization", "variants"]


def complexity(group: Group) -> Table:
    """Return Table 2: bits per pixel, quality, and pictures a second."""
    header = ("codec", "bpp", "PSNR", "MS-SSIM", "encode FPS", "decode FPS")
    rows = []
    for row in by_count(group.rows):
        quality = (number(row.mean("psnr"), 2), number(row.mean("ms_ssim"), 4))
        seconds = row.mean("encode_seconds")
        encoded = None if not seconds else 1 / seconds
        decoded = row.mean("decode_fps", "plain")
        rate = number(row.mean("bpp", "plain"), 4)
        name = f"Ours, N={row.settings['gaussians']}"
        rows.append((name, rate, *quality, speed(encoded), speed(decoded)))
    for line in published.CODECS:
        quality = (f"{line.psnr:.2f}", f"{line.ms_ssim:.4f}")
        speeds = speed(line.encode_fps), speed(line.decode_fps)
        rows.append((f"{line.codec}, published", f"{line.bpp:.4f}", *quality, *speeds))
    note = measured_on(group) + (
        " Published: DIV2K ×2. Ours decodes from the file's bytes to 8-bit pixels, on the CPU."
    )
    note += no_ms_ssim(group)
    return Table(f"Table 2: codecs on {SETS[group.dataset]}", header, tuple(rows), note)


def points(group: Group) -> Table:
    """Return the points of the rate–distortion figure, with the rate of every kind of stream."""
    header = (
        *("N", "bpp, file", "formula", "paper", "PSNR", "paper", "MS-SSIM", "paper"),
        *("entropy coded", "bits-back", "paper", "both"),
    )
    points = {p.gaussians: p for p in published.RATE_DISTORTION.get(group.dataset, ())}
    rows = []
    for row in by_count(group.rows):
        count = row.settings["gaussians"]
        point = points.get(count)
        theirs = (
            (NONE,) * 4
            if point is None
            else (
                f"{point.bpp:.4f}",
                f"{point.psnr:.2f}",
                f"{point.ms_ssim:.3f}",
                f"{point.bits_back:.3f}",
            )
        )
        rates = [
            number(row.mean("bpp", stream), 4)
            for stream in ("plain", "entropy", "bits-back", "entropy-interleaved")
        ]
        ours = number(row.mean("psnr"), 2), number(row.mean("ms_ssim"), 4)
        formula = number(row.mean("formula_bpp"), 4)
        quality = (ours[0], theirs[1], ours[1], theirs[2])
        coded = (rates[1], rates[2], theirs[3], rates[3])
        rows.append((str(count), rates[0], formula, theirs[0], *quality, *coded))
    title = f"Rate–distortion on {SETS[group.dataset]}"
    note = (
        measured_on(group)
        + " Bits per pixel are of whole files. Both: entropy coding and bits-back."
        + no_ms_ssim(group)
    )
    return Table(title, header, tuple(rows), note)


def quantization(group: Group) -> Table:
    """Return Table 4, with the points of the curves that its deltas compare."""
    counts = sorted({row.settings["gaussians"] for row in group.rows})
    header = ("variant", *(f"N={count}: bpp → dB" for count in counts))
    header += ("BD-PSNR", "paper", "BD-rate", "paper", "BD-MS-SSIM", "paper", "BD-rate", "paper")
    final = _curve(group, published.QUANTIZATION[0])
    rows = []
    for line in published.QUANTIZATION:
        curve = _curve(group, line)
        if not curve:
            continue
        points = {row.settings["gaussians"]: row for row in curve}
        cells = [_point(points.get(count)) for count in counts]
        for metric, gain, rate in (
            ("psnr", line.bd_psnr, line.bd_rate_psnr),
            ("ms_ssim", line.bd_ms_ssim, line.bd_rate_ms_ssim),
        ):
            digits = 3 if metric == "psnr" else 4
            ours = _deltas(final, curve, metric)
            cells += [signed(ours[0], digits), signed(gain, digits)]
            cells += [percent(ours[1]), percent(rate)]
        rows.append((line.variant, *cells))
    title = f"Table 4: quantizers of color, on {SETS[group.dataset]}"
    note = measured_on(group) + " Deltas are against the final one, over what both curves share."
    note += no_ms_ssim(group)
    return Table(title, header, tuple(rows), note)


def variants(group: Group) -> int:
    """Return the number of rows of Table 4 that have results."""
    return sum(bool(_curve(group, line)) for line in published.QUANTIZATION)


def is_variant(settings: Mapping[str, Any]) -> bool:
    """Whether a codec has a row in Table 4."""
    return any(_belongs(settings, line) for line in published.QUANTIZATION)


def _belongs(settings: Mapping[str, Any], line: published.QuantizerAblation) -> bool:
    """Whether a codec is the one of a row of Table 4."""
    wanted: dict[str, Any] = {"color": line.color}
    if line.color == "int":
        wanted["color_bits"] = line.color_bits
    else:
        wanted["commitment"] = line.commitment
    return all(settings.get(name) == value for name, value in wanted.items())


def _curve(group: Group, line: published.QuantizerAblation) -> list[Row]:
    return by_count([row for row in group.rows if _belongs(row.settings, line)])


def _point(row: Row | None) -> str:
    if row is None:
        return NONE
    return f"{number(row.mean('bpp', 'plain'), 4)} → {number(row.mean('psnr'), 2)}"


def _deltas(anchor: list[Row], curve: list[Row], metric: str) -> tuple[float | None, float | None]:
    """Return the Bjøntegaard deltas in quality and in percent of the rate, where they exist."""
    points: list[Any] = []
    for rows in (anchor, curve):
        rates = [row.mean("bpp", "plain") for row in rows]
        qualities = [row.mean(metric) for row in rows]
        if None in rates or None in qualities:
            return None, None
        points += [rates, qualities]
    return _delta(bd_psnr, points), _delta(bd_rate, points)


def _delta(function: Callable[..., float], points: list[Any]) -> float | None:
    try:
        return function(*points)
    except ValueError:  # too few points, disjoint ranges, or a falling curve
        return None
