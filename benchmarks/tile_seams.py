"""Whether a picture is worse at the edges of its tiles, against the same pixels away from edges.

Usage: python benchmarks/tile_seams.py --images FOLDER [--tile 1024] [--tiles 3] [--seeds 0 1 2]

A photo is not alike everywhere, so its error at some lines differs from that elsewhere, whether or
not the edges of tiles are there. So every picture is encoded twice: as it is, and with the grid of
tiles moved by half a tile, by cutting rows and columns from its top and left. Pixels at the edges
of one grid lie in the middle of the other's tiles. For each grid, the excess is

    error at its edges / error of the other file at the same pixels
    --------------------------------------------------------------- - 1
    error elsewhere    / error of the other file at the same pixels

where elsewhere is at least `AWAY` pixels from the edges of both grids. What the picture has at the
edges is in both files, and drops out.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from lib.harness import environment, print_environment, print_table, write_json
from lib.mosaic import Mosaic
from lib.terrain import Terrain
from numpy.typing import NDArray

import gaussianimage

HERE = Path(__file__).resolve().parent
NEAR = 8  # px from an edge of a tile
AWAY = 32  # px
ROWS = 256  # of the picture that are decoded at a time


class Shifted:
    """A picture without its first rows and columns; an array by rows."""

    def __init__(self, picture: Any, cut: int) -> None:
        height, width, channels = picture.shape
        self.shape = height - cut, width - cut, channels
        self.dtype = picture.dtype
        self._picture = picture
        self._cut = cut

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """Return some rows."""
        begin, end, _ = rows.indices(self.shape[0])
        found: NDArray[np.uint8] = self._picture[begin + self._cut : end + self._cut]
        return found[:, self._cut :]


def distance(places: NDArray[np.intp], tile: int) -> NDArray[np.float64]:
    """Return how far pixels are from the nearest multiple of a tile's side."""
    return np.abs((places + tile // 2) % tile - tile // 2 + 0.5)


def measure(picture: Any, files: list[Path], tile: int) -> dict[str, float]:
    """Return the excess of both grids and of both together, and their plain ratios.

    Parameters
    ----------
    picture : array by rows
    files : list of Path
        The picture in tiles, and the picture without its first half tile of rows and columns.
    tile : int
        Side of a tile.
    """
    side, half = picture.shape[0], tile // 2
    decoder = gaussianimage.Decoder()
    # By file and by region: near the edges of the first grid, of the second, and elsewhere.
    error, count = np.zeros((2, 3)), np.zeros(3)
    # The edges of the two pictures are no edges of tiles.
    first, last = half + AWAY, side - AWAY
    x = np.arange(first, last)
    for top in range(first, last, ROWS):
        height = min(ROWS, last - top)
        rows = picture[top : top + height][:, first:last].astype(np.float32)
        y = np.arange(top, top + height)
        apart = [
            np.minimum(distance(y + shift, tile)[:, None], distance(x + shift, tile))
            for shift in (0, half)
        ]
        regions = [
            (apart[0] < NEAR) & (apart[1] >= AWAY),
            (apart[1] < NEAR) & (apart[0] >= AWAY),
            (apart[0] >= AWAY) & (apart[1] >= AWAY),
        ]
        count += [region.sum() for region in regions]
        for number, (file, cut) in enumerate(zip(files, (0, half), strict=True)):
            crop = (top - cut, first - cut, height, last - first)
            drawn = decoder.decode(file, crop=crop)
            squares = np.square(rows - drawn).sum(axis=2)
            error[number] += [squares[region].sum(dtype=np.float64) for region in regions]
    error /= count
    relative = error[0] / error[1]
    one = relative[0] / relative[2] - 1
    other = relative[2] / relative[1] - 1
    plain = [error[0, 0] / error[0, 2] - 1, error[1, 1] / error[1, 2] - 1]
    control = [error[1, 0] / error[1, 2] - 1, error[0, 1] / error[0, 2] - 1]
    return {
        "plain": float(np.mean(plain)),
        "control": float(np.mean(control)),
        "one": float(one),
        "other": float(other),
        "excess": float(np.sqrt((1 + one) * (1 + other)) - 1),
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the error at the edges of tiles.")
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--tile", type=int, nargs="+", default=[512], help="sides of a tile (512)")
    parser.add_argument("--tiles", type=int, default=4, help="tiles of a picture a side (4)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="mosaics (0 1 2)")
    parser.add_argument("--terrain", action="store_true", help="a synthetic picture too")
    parser.add_argument("--effort", type=int, default=1, help="(1)")
    parser.add_argument("--quality", type=float, default=60, help="(60)")
    parser.add_argument("--tune", choices=("eye", "psnr"), default="eye")
    parser.add_argument("--output", type=Path, default=HERE / "results/tile_seams.json")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    report = environment()
    print_environment(report)
    runs: list[dict[str, Any]] = []
    for tile in arguments.tile:
        side = tile * arguments.tiles + tile // 2
        pictures: dict[str, Any] = {
            f"mosaic {seed}": Mosaic.of_folder(arguments.images, side, side, seed)
            for seed in arguments.seeds
        }
        if arguments.terrain:
            pictures["terrain"] = Terrain(side, side)
        for name, picture in pictures.items():
            with tempfile.TemporaryDirectory() as folder:
                files = [Path(folder) / "a.gimg", Path(folder) / "b.gimg"]
                for file, source in zip(files, (picture, Shifted(picture, tile // 2)), strict=True):
                    gaussianimage.encode_tiled(
                        source,
                        file,
                        tile=tile,
                        effort=arguments.effort,
                        quality=arguments.quality,
                        tune=arguments.tune,
                    )
                runs.append({"picture": name, "tile": tile, **measure(picture, files, tile)})
            print(f"{name}, tiles of {tile}: excess {100 * runs[-1]['excess']:+.1f} %", flush=True)
    columns = ("plain", "control", "one", "other", "excess")
    print_table(
        ["picture", "tile", "edges / elsewhere", "same pixels inside", "one", "other", "excess"],
        [
            [run["picture"], run["tile"], *(f"{100 * run[name]:+.1f} %" for name in columns)]
            for run in runs
        ],
    )
    write_json(arguments.output, {"environment": report, "runs": runs})
    return 0


if __name__ == "__main__":
    sys.exit(main())
