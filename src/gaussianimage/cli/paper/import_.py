"""The command `paper import`: converts checkpoints of the authors' code."""

import re
from pathlib import Path

import click

from gaussianimage._util.files import is_stream
from gaussianimage.cli.command import subcommand
from gaussianimage.cli.options import FILE, BatchOptions, FiniteRange
from gaussianimage.cli.paper.options import choose_device, make_recipe, require_torch
from gaussianimage.cli.paper.quantizers import QuantizerOptions, quantizer_options
from gaussianimage.cli.paths import Item, plan
from gaussianimage.cli.report import result_line
from gaussianimage.cli.run_items import JobContext, Outcome, run
from gaussianimage.codec.paper_profile.stream import STREAMS

EXAMPLES = """
gaussianimage paper import gaussian_model.pth.tar kodim03.safetensors --size 768x512
gaussianimage paper import gaussian_model.pth.tar kodim03.gimg --picture kodim03.png
gaussianimage paper import gaussian_model.pth.tar a.gimg --picture a.png --fine-tuning 5000
gaussianimage paper import quantized.pth.tar a.gimg --picture a.png --stream entropy-bits-back
"""

Size = tuple[int, int]

# What the end of the line says about the learned quantizers of a checkpoint.
LEARNED = {
    True: ", with its learned quantizers",
    False: ", without its learned quantizers: the options ask for others",
    None: "",
}


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Size | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size such as 768x512.")
    return int(match[2]), int(match[1])


def _refuse(target: str) -> str | None:
    if is_stream(target) or Path(target).suffix.lower() in (".gimg", ".safetensors"):
        return None
    return "the output is a .safetensors or a .gimg file."


@subcommand(
    "Convert a checkpoint of the authors' code.",
    EXAMPLES,
    more_when_verbose="Show progress even where stderr is no terminal.",
)
@click.argument("files", nargs=2, metavar="INPUT OUTPUT", type=FILE)
@click.option(
    "--size",
    callback=_size,
    metavar="WxH",
    help="Size of the picture in pixels, which the checkpoint does not hold.",
)
@click.option(
    "--picture",
    "original",
    type=FILE,
    metavar="FILE",
    help="The original picture, for its size, the PSNR and fine-tuning.",
)
@click.option(
    "--fine-tuning",
    type=click.IntRange(0, 10**7),
    default=0,
    metavar="N",
    help="Iterations with quantizers, for a .gimg file.  [default: 0]",
)
@click.option(
    "--learning-rate",
    type=FiniteRange(0, min_open=True),
    default=1e-3,
    metavar="R",
    help="Initial step size of the fine-tuning.  [default: 0.001]",
)
@click.option(
    "--stream",
    type=click.Choice(STREAMS),
    default="plain",
    help="Coding of a .gimg file.  [default: plain]",
)
@quantizer_options
@click.option(
    "--device", metavar="NAME", help="Device for fine-tuning.  [default: cuda if there is one]"
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    files: tuple[str, str],
    size: Size | None,
    original: str | None,
    fine_tuning: int,
    learning_rate: float,
    stream: str,
    quantizers: QuantizerOptions,
    device: str | None,
    quiet: bool,
) -> int:
    """Convert a checkpoint of the GaussianImage authors' code, a .pth.tar file.

    INPUT holds the state of a Cholesky, a scale-rotation or a 3D model. OUTPUT is a .safetensors
    file or, except for 3D, a .gimg file. A .safetensors file holds the Gaussians unchanged;
    `render` and `info` take it. A .gimg file of the paper's codec holds them quantized: by the
    steps and codebooks of the checkpoint if it has any and no option asks for others, and
    otherwise, without fine-tuning, only rounded.

    Only tensors are loaded; a checkpoint that would run code is refused. The authors' code samples
    pixels at integer coordinates, so centers are shifted by half a pixel.
    """
    if (size is None) == (original is None):
        raise click.UsageError("either --size or --picture tells the size of the picture.")
    if fine_tuning and (original is None or Path(files[1]).suffix.lower() == ".safetensors"):
        raise click.UsageError("--fine-tuning is for a .gimg file, and needs --picture.")
    items = plan(files[:1], files[1], suffix=".safetensors", refuse=_refuse)
    require_torch()
    from gaussianimage.paper.datasets import Sample
    from gaussianimage.paper.import_checkpoint import (
        Quantization,
        import_as_file,
        import_as_gaussians,
    )
    from gaussianimage.paper.represent import news

    settings = quantizers.settings()
    if len(settings) > 1:
        raise click.UsageError("--variants: a file has one variant.")
    recipe = make_recipe(fine_tuning, None, learning_rate=learning_rate)
    quantization = Quantization(settings[0], recipe, choose_device(device), stream)

    def work(item: Item, job: JobContext) -> Outcome:
        shape = size or Sample(Path(str(original)))
        if Path(item.target).suffix.lower() == ".safetensors":
            done = import_as_gaussians(item.source, item.target, shape)
        else:
            progress = news(job.progress, "quantize")
            done = import_as_file(item.source, item.target, shape, quantization, progress=progress)
        line = result_line(
            done.height,
            done.width,
            done.gaussians,
            n_bytes=done.n_bytes,
            psnr=done.psnr,
            seconds=done.seconds,
        )
        return Outcome(line + LEARNED[done.learned])

    return run(items, work, BatchOptions(None, 1, None, no_overwrite=False, quiet=quiet))
