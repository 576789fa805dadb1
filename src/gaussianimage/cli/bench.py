"""The command `bench`: the speed of decoding files and encoding pictures."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from gaussianimage import (
    Decoder,
    GaussianImageError,
    _native,
    decode_many,
    encode_with_result,
    info,
)
from gaussianimage._util.files import is_stream, read_input
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.errors import printable
from gaussianimage.cli.options import (
    TargetOptions,
    effort_option,
    files_argument,
    json_option,
    target_options,
    threads_option,
)
from gaussianimage.cli.report import plural, result_line, seconds_text
from gaussianimage.cli.run_items import run_each
from gaussianimage.cli.sources import is_gimg, print_warning
from gaussianimage.picture import read

EXAMPLES = """
gaussianimage bench photo.gimg
gaussianimage bench photo.png -q 60 -e 1 -t 1
gaussianimage bench *.gimg --repetitions 100 --json
gaussianimage bench pictures/
"""


@dataclass(frozen=True)
class Timing:
    """The times of the repetitions of one call."""

    seconds: list[float]
    pixels: int
    frames: int = 1

    @property
    def median(self) -> float:
        """The median of the times, in seconds."""
        return float(np.median(self.seconds))

    def as_dict(self) -> dict[str, Any]:
        """Return the seconds of every repetition, and megapixels and frames a second."""
        fastest, slowest = min(self.seconds), max(self.seconds)
        return {
            "seconds": self.seconds,
            "mps_min": self.pixels / slowest / 1e6,
            "mps_median": self.pixels / self.median / 1e6,
            "mps_max": self.pixels / fastest / 1e6,
            "fps_min": self.frames / slowest,
            "fps_median": self.frames / self.median,
            "fps_max": self.frames / fastest,
        }

    def text(self) -> str:
        """Return the speed, the median time and the number of repetitions in one line."""
        line = self._range("mps", "MP/s")
        if self.frames > 1:
            line = f"{self._range('fps', 'frames/s')}, {line}"
        return f"{line}, {_duration(self.median)}, {plural(len(self.seconds), 'rep')}"

    def _range(self, key: str, unit: str) -> str:
        speed = self.as_dict()
        line = f"{_digits(speed[f'{key}_median'])} {unit}"
        if len(self.seconds) > 1:
            line += f" [{_digits(speed[f'{key}_min'])}, {_digits(speed[f'{key}_max'])}]"
        return line


@subcommand(
    "Time decoding and encoding.",
    EXAMPLES,
)
@files_argument("FILE...")
@click.option(
    "-r",
    "--repetitions",
    type=click.IntRange(1, 100_000),
    default=20,
    metavar="N",
    help="Number of timed decodings; one untimed decoding precedes them.  [default: 20]",
)
@threads_option
@target_options
@effort_option
@json_option
def command(
    files: tuple[str, ...],
    repetitions: int,
    threads: int | None,
    target: TargetOptions,
    effort: int,
    as_json: bool,
) -> int:
    """Time decoding and encoding in memory: from bytes to pixels and from pixels to bytes.

    A .gimg file is decoded, always to the same memory. A picture is encoded once and then decoded.
    For a folder, all its .gimg files are read and decoded, one file on each thread. The speed in
    megapixels a second is the median; brackets hold the minimum and the maximum.
    """
    used = threads or _native.cpus()

    def work(source: str) -> None:
        if Path(source).is_dir():
            _folder(source, repetitions, used, as_json=as_json)
            return
        data = read_input(source)
        encoding = None
        if not is_gimg(data):
            picture = read(data if is_stream(source) else source, warn=print_warning)
            encoded = encode_with_result(
                picture, **target.as_arguments(), effort=effort, threads=used
            )
            data = encoded.data
            encoding = Timing([encoded.seconds], picture.height * picture.width)
        found = info(data)
        decoder = Decoder(threads=used)
        pixels = decoder.decode(data)
        decoding = _timed(
            lambda: decoder.decode(data, pixels), repetitions, found.height * found.width
        )
        if as_json:
            record = {
                "file": source,
                "height": found.height,
                "width": found.width,
                "gaussians": found.gaussians,
                "bytes": found.bytes,
                "threads": used,
                "encode": encoding and encoding.as_dict(),
                "decode": decoding.as_dict(),
            }
            click.echo(json.dumps(record))
            return
        name = "stdin" if is_stream(source) else printable(source)
        size = result_line(found.height, found.width, found.gaussians, n_bytes=found.bytes)
        click.echo(f"{name}: {size}")
        if encoding is not None:
            click.echo(f"  encode  {encoding.text()}, {plural(used, 'thread')}")
        click.echo(f"  decode  {decoding.text()}, {plural(used, 'thread')}")

    return run_each(files, work)


def _folder(source: str, repetitions: int, threads: int, *, as_json: bool) -> None:
    paths = sorted(Path(source).glob("*.gimg"))
    if not paths:
        raise GaussianImageError("there are no .gimg files in this folder")
    sizes = [pixels.shape for pixels in decode_many(paths, threads=threads)]

    def all_of_them() -> None:
        for _ in decode_many(paths, threads=threads):
            pass

    area = sum(height * width for height, width, *_ in sizes)
    decoding = _timed(all_of_them, repetitions, area, len(paths))
    if as_json:
        record = {
            "folder": source,
            "files": len(paths),
            "pixels": area,
            "bytes": sum(path.stat().st_size for path in paths),
            "threads": threads,
            "decode": decoding.as_dict(),
        }
        click.echo(json.dumps(record))
        return
    click.echo(f"{printable(source)}: {plural(len(paths), 'file')}, {area / 1e6:.1f} megapixels")
    click.echo(f"  decode  {decoding.text()}, {plural(threads, 'thread')}")


def _timed(
    function: Callable[[], object], repetitions: int, pixels: int, frames: int = 1
) -> Timing:
    function()  # The first call warms up memory and caches.
    seconds = []
    for _ in range(repetitions):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return Timing(seconds, pixels, frames)


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms" if seconds < 0.1 else seconds_text(seconds)


def _digits(speed: float) -> str:
    """Return a speed with about three digits, or more if it is large."""
    return f"{speed:.1f}" if speed >= 10 else f"{speed:.3g}"
