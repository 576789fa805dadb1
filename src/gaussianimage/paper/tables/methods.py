"""The table of the methods after GaussianImage, with the figures of their publications."""

from typing import Any

from gaussianimage.paper.tables.comparison import Group
from gaussianimage.paper.tables.text import NONE, SETS, Table, number

__all__ = ["methods"]

# Publications' means on Kodak at full length: method, N and dB. Image-GS, SmartSplat and P-GSVC
# report no such means.
PUBLISHED = (
    ("gaussianimage", 5000, 29.85),
    ("gaussianimage", 10000, 32.48),
    ("gaussianimage++", 5000, 31.83),
    ("gaussianimage++", 10000, 35.41),
    ("lig", 10000, 31.00),
)


def methods(group: Group) -> Table:
    """Return the table of methods, by number of Gaussians and length."""
    header = ("method", "N", "iterations", "PSNR", "MS-SSIM", "s", "bpp", "coded PSNR")
    rows = []

    def order(row: Any) -> tuple[Any, ...]:
        return tuple(row.settings[name] for name in ("gaussians", "iterations", "method"))

    for row in sorted(group.rows, key=order):
        own = row.settings
        name = own["method"] + (", with codec" if own["codec"] else "")
        cells = (name, str(own["gaussians"]), str(own["iterations"]))
        digits = {"psnr": 2, "ms_ssim": 4, "seconds": 1, "bpp": 4, "coded_psnr": 2}
        rows.append((*cells, *(number(row.mean(name), d) for name, d in digits.items())))
    if group.dataset == "kodak":
        rows += [
            (f"{name}, published", str(count), "full", f"{psnr:.2f}", *[NONE] * 4)
            for name, count, psnr in PUBLISHED
        ]
    title = f"Methods after GaussianImage on {SETS[group.dataset]}"
    names = ", ".join(group.pictures) if len(group.pictures) <= 4 else str(len(group.pictures))
    where = f"seed {group.common['seed']}, {group.common['device']}"
    note = f"Means over the pictures {names}; {where}. Published: all pictures, at full length."
    return Table(title, header, tuple(rows), note)
