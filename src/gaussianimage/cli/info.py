"""The command `info`: the contents of .gimg files."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from gaussianimage import FileInfo, FormatError, Gaussians, Limits, info
from gaussianimage._util.files import is_stream
from gaussianimage.cli.command import subcommand, verbosity
from gaussianimage.cli.errors import printable
from gaussianimage.cli.options import files_argument, json_option
from gaussianimage.cli.paths import files_in, refuse_folder
from gaussianimage.cli.report import bytes_text, dimensions, plural, result_line
from gaussianimage.cli.run_items import run_each
from gaussianimage.cli.sources import GIMG, limit_options, read_saved
from gaussianimage.codec.decoder.info import PaperInfo, TilesInfo
from gaussianimage.codec.decoder.source import opening

EXAMPLES = """
gaussianimage info photo.gimg
gaussianimage info -v photo.gimg
gaussianimage info --json *.gimg
gaussianimage info -r photos/
"""

_CHANNELS = {1: "gray", 2: "gray + alpha", 3: "RGB", 4: "RGBA"}


@subcommand("Tell what .gimg files hold.", EXAMPLES, more_when_verbose="List the chunks too.")
@files_argument("FILE...")
@click.option(
    "-r", "--recursive", is_flag=True, help="Take the .gimg files in folders and in their folders."
)
@json_option
@limit_options
def command(files: tuple[str, ...], recursive: bool, as_json: bool, limits: Limits) -> int:
    """Tell what .gimg files hold, and .safetensors files of Gaussians or models; FILE - is stdin.

    The description of a cut off or damaged file ends at the damage, and the file counts as failed.
    """

    def work(source: str) -> None:
        refuse_folder(source)
        if Path(source).suffix.lower() == ".safetensors":
            _tell_saved(source, as_json=as_json)
            return
        damage = None
        with opening(source) as (data, _):
            try:
                found = info(data, limits=limits)
            except FormatError as error:
                damage = error
                found = info(data, limits=limits, partial=True)
        if as_json:
            click.echo(json.dumps({"file": source, **found.as_dict()}))
        else:
            click.echo("\n".join(_lines(source, found)))
        if damage is not None:
            raise damage

    if recursive:
        files = tuple(
            found
            for given in files
            for found in (files_in(given, GIMG) if Path(given).is_dir() else [given])
        )
    return run_each(files, work)


def _tell_saved(source: str, *, as_json: bool) -> None:
    saved = read_saved(source)
    found = saved.gaussians
    size = Path(source).stat().st_size
    q_max = found.q_max if isinstance(found, Gaussians) else None
    if as_json:
        values = {"height": found.height, "width": found.width, "gaussians": len(found)}
        values |= {"channels": found.channels, "bytes": size}
        told = {"file": source, **values, "q_max": q_max, "model": saved.model}
        click.echo(json.dumps({**told, "quantized": saved.is_quantized}))
        return
    line = result_line(found.height, found.width, len(found), n_bytes=size)
    click.echo(f"{printable(source)}: {line}")
    quantized = "quantized" if saved.is_quantized else "not quantized"
    cut = ", blended" if q_max is None else f", q_max {q_max:g}"
    model = "" if saved.model is None else f", {saved.model} of the paper's experiments"
    click.echo(f"  {_CHANNELS[found.channels]}, {quantized}{cut}{model}")


def _lines(source: str, found: FileInfo) -> Iterator[str]:
    name = "stdin" if is_stream(source) else printable(source)
    size = result_line(found.height, found.width, found.gaussians, n_bytes=found.bytes)
    yield f"{name}: {size}"
    steps = plural(found.layers, "layer" if found.tiles is None else "level")
    yield (
        f"  {_CHANNELS[found.channels]}, {found.bit_depth} bit, {steps}, "
        f"format version {found.version}"
    )
    extras = {"ICC profile": found.icc, "EXIF": found.exif, "XMP": found.xmp}
    carried = [f"{name} {bytes_text(size)}" for name, size in extras.items() if size is not None]
    if carried:
        yield f"  {', '.join(carried)}"
    if found.grain is not None:
        yield f"  grain, {bytes_text(found.grain)}"
    if found.alpha_map is not None:
        size = f", {bytes_text(found.alpha_map)}" if found.tiles is None else ""
        yield f"  exact alpha where it is 0 or full{size}"
    if found.paper is not None:
        yield f"  {_paper_line(found.paper)}"
    if found.tiles is not None:
        yield f"  {plural(found.tiles.tiles, 'tile')} of {found.tiles.side} x {found.tiles.side}"
        yield from _level_lines(found.tiles)
    if verbosity():
        if found.color_step is not None and found.shape_step is not None:
            yield f"  color step {found.color_step:.4g}, shape step {found.shape_step:.4g}"
        for chunk in found.chunks:
            yield f"  chunk {chunk.type} at byte {chunk.offset}, {bytes_text(chunk.size)}"


def _level_lines(tiles: TilesInfo) -> Iterator[str]:
    if not verbosity():
        return
    for number, ((height, width), size) in enumerate(
        zip(tiles.levels, tiles.level_bytes, strict=True)
    ):
        yield f"  level {number}: {dimensions(height, width)} pixels, {bytes_text(size)}"


def _paper_line(paper: PaperInfo) -> str:
    shape = paper.shape.replace("cholesky", "Cholesky")
    if paper.color == "vector":
        color = f"{plural(len(paper.color_bits), 'codebook')} of {2 ** paper.color_bits[0]} colors"
    else:
        color = f"{paper.color_bits[0]}-bit colors"
    return f"the paper's codec: {paper.shape_bits}-bit {shape}, {color}, {paper.stream} stream"
