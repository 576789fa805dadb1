"""The growth of the time to decode with Gaussians, with pixels at equal density, with threads.

The file of a larger picture has the Gaussians of a small one as tiles side by side, so its density,
its sizes and its symbols are those of the small one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import gaussianimage
from gaussianimage import Decoder, _native
from gaussianimage.codec.decoder.file import layer_chunks, parse_file
from gaussianimage.codec.encoder.rounding import round_to_nearest
from gaussianimage.codec.encoder.serialize import serialize
from gaussianimage.codec.format.levels import QuantizedGaussians
from lib.harness import take_turns
from lib.pictures import Bytes


class Point(NamedTuple):
    """A file and the median seconds of its decode, by number of threads."""

    name: str
    height: int
    width: int
    gaussians: int
    work: int
    seconds: dict[int, float]


class Fit(NamedTuple):
    """The model seconds = Σ coefficient · quantity, by least squares of relative errors."""

    coefficients: dict[str, float]
    r_squared: float
    worst: float  # relative error


def tiled(data: bytes, rows: int, columns: int) -> bytes:
    """Return a file of rows and columns of copies of a picture."""
    file = parse_file(data)
    header, parameters = file.header, file.layers.parameters
    quantizer = parameters.quantizer(header.height, header.width)
    payloads = [bytes(chunk.payload) for chunk in layer_chunks(file, None)]
    ends, arrays = _native.decode_layers(quantizer, payloads, header.layers, header.gaussians, 1)
    height, width = rows * header.height, columns * header.width
    layers = []
    for begin, end in zip([0, *ends], ends, strict=False):
        means, cholesky, colors = (array[begin:end] for array in arrays)
        parts = [
            round_to_nearest(
                means + np.array([header.width * x, header.height * y]),
                cholesky,
                colors,
                height=height,
                width=width,
                color_step=parameters.color_step,
                shape_step=parameters.shape_step,
            )
            for y in range(rows)
            for x in range(columns)
        ]
        layers.append(QuantizedGaussians.concatenate(parts))
    return serialize(
        layers,
        parameters,
        file.metadata,
        height=height,
        width=width,
        bit_depth=header.bit_depth,
        q_max=header.q_max,
    )


def by_gaussians(pixels: Bytes, counts: Sequence[int], effort: int) -> dict[str, bytes]:
    """Return files of one picture with more and more Gaussians."""
    return {
        f"{count} Gaussians": gaussianimage.encode(pixels, gaussians=count, effort=effort)
        for count in counts
    }


def by_size(data: bytes, tiles: Sequence[tuple[int, int]]) -> dict[str, bytes]:
    """Return files of given numbers of rows and columns of tiles."""
    return {f"{rows} x {columns} tiles": tiled(data, rows, columns) for rows, columns in tiles}


def time_files(files: Mapping[str, bytes], threads: Sequence[int], rounds: int) -> list[Point]:
    """Time decoding into existing memory; all files take turns."""
    contestants: dict[str, Any] = {}
    for name, data in files.items():
        out = gaussianimage.decode(data)
        for count in threads:
            decoder = Decoder(threads=count)
            contestants[f"{name}|{count}"] = lambda data=data, out=out, decoder=decoder: (
                decoder.decode(data, out)
            )
    timings = take_turns(contestants, rounds=rounds, warmup=1)
    points = []
    for name, data in files.items():
        found = gaussianimage.info(data)
        seconds = {count: timings[f"{name}|{count}"].median for count in threads}
        points.append(Point(name, found.height, found.width, found.gaussians, found.work, seconds))
    return points


def fit(columns: Mapping[str, Sequence[float]], seconds: Sequence[float]) -> Fit:
    """Fit a coefficient that is not negative for each quantity to some seconds.

    Parameters
    ----------
    columns : mapping
        The quantities by name, with a number for each measurement.
    seconds : sequence of float
        The measurements, at least as many as quantities.
    """
    matrix, y = np.array(list(columns.values()), dtype=float).T, np.array(seconds)
    coefficients = _nonnegative(matrix / y[:, None], np.ones(len(y)))
    found = matrix @ coefficients
    spread = ((y - y.mean()) ** 2).sum()
    return Fit(
        dict(zip(columns, map(float, coefficients), strict=True)),
        float(1 - ((y - found) ** 2).sum() / spread) if spread > 0 else 1.0,
        float(np.abs(found / y - 1).max()),
    )


def _nonnegative(matrix: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve least squares; a quantity whose coefficient would be negative is left out."""
    used = np.ones(matrix.shape[1], dtype=bool)
    result = np.zeros(matrix.shape[1])
    while used.any():
        found = np.linalg.lstsq(matrix[:, used], y, rcond=None)[0]
        if (found >= 0).all():
            result[used] = found
            break
        used[np.flatnonzero(used)[found.argmin()]] = False
    return result


def explain(points: Sequence[Point], threads: int) -> Fit:
    """Fit the seconds of all points by their pixels, Gaussians and covered blocks of pixels."""
    return fit(
        {
            "call": [1.0] * len(points),
            "pixel": [p.height * p.width for p in points],
            "gaussian": [p.gaussians for p in points],
            "block": [p.work for p in points],
        },
        [p.seconds[threads] for p in points],
    )
