"""The options that several commands share; a command gets each set of options as one value."""

import functools
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeVar

import click

from gaussianimage.backends import select_backend
from gaussianimage.batching.engines import ENGINES
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT
from gaussianimage.codec.encoder.targets import DEFAULT_QUALITY, TARGETS, TUNES
from gaussianimage.errors import GaussianImageError
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS
from gaussianimage.picture import MAX_PIXELS, Kept, rgb
from gaussianimage.picture.keeping import KINDS

__all__ = [
    "Amount",
    "BatchOptions",
    "FiniteRange",
    "Function",
    "TargetOptions",
    "alpha_options",
    "background_option",
    "batch_options",
    "bit_depth_option",
    "check_device",
    "device_option",
    "effort_option",
    "engine_options",
    "files_argument",
    "json_option",
    "max_pixels_option",
    "metadata_options",
    "packed",
    "partial_option",
    "seed_option",
    "target_options",
    "threads_option",
    "white_option",
]


Function = TypeVar("Function", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """A finite number in a range; "nan" is refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return float(number)


class Amount(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A whole number from 1, with an optional unit: 20k and 20kB are 20000, 20KiB is 20480.

    Parameters
    ----------
    example : str
        Valid values for the error message to show.
    most : int
        The largest number that is accepted.
    """

    name = "amount"
    _UNITS = MappingProxyType({"": 0, "k": 1, "m": 2, "g": 3})
    _PATTERN = re.compile(r"(\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}) ?([kmg]?)(i?)b?", re.IGNORECASE)

    def __init__(self, example: str, most: int = 2**63) -> None:
        self._example, self._most = example, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        if isinstance(value, int):
            return value
        match = self._PATTERN.fullmatch(value)
        if match is None or (match[3] and not match[2]):
            self.fail(f"{value!r} is not a number such as {self._example}.", param, ctx)
        base = 1024 if match[3] else 1000
        number = int(Fraction(match[1]) * base ** self._UNITS[match[2].lower()])
        if not 1 <= number <= self._most:
            self.fail(f"{value} is not in the range 1 to {self._most}.", param, ctx)
        return number


@dataclass(frozen=True)
class BatchOptions:
    """How a command treats its files."""

    output: str | None
    jobs: int
    threads: int | None
    no_overwrite: bool
    quiet: bool
    as_json: bool = False
    recursive: bool | None = None  # None in commands without -r


@dataclass(frozen=True)
class TargetOptions:
    """The target options of a command; at most one of them is given."""

    quality: float | None
    gaussians: int | None
    bpp: float | None
    size: int | None = None
    psnr: float | None = None
    ssim: float | None = None

    def as_arguments(self) -> dict[str, Any]:
        """Return the options as keyword arguments of `gaussianimage.encode`."""
        return asdict(self)


def _seed(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    if value is not None and not 0 <= value < 2**63:
        raise click.BadParameter(f"{value} is not in the range 0 to 2^63 - 1.")
    return value


FILE = click.Path(readable=False)

# An IntRange would print 2^63 - 1 in digits in the help.
seed_option = click.option(
    "--seed",
    type=int,
    callback=_seed,
    metavar="N",
    help="The same picture, options and seed give the same result.  [default: 0]",
)
effort_option = click.option(
    "-e",
    "--effort",
    type=click.IntRange(1, 10),
    default=DEFAULT_EFFORT,
    metavar="E",
    help=f"1 (fastest) to 10 (smallest file).  [default: {DEFAULT_EFFORT}]",
)
progressive_option = click.option(
    "--progressive/--no-progressive",
    default=True,
    help="Whether a first part of the file shows the picture; without, it is about 1 % smaller.  "
    "[default: progressive]",
)
tune_option = click.option(
    "--tune",
    type=click.Choice(TUNES),
    help="What counts as quality: what a person sees (eye), or PSNR, which then is about 1 dB "
    "higher at the same size.  [default: psnr with --psnr, else eye]",
)
threads_option = click.option(
    "-t",
    "--threads",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Threads to use.  [default: all CPUs]",
)
device_option = click.option(
    "--device",
    default="cpu",
    metavar="DEVICE",
    help="cpu, or a GPU: cuda, cuda:0, cuda:1 and so on. A GPU takes one file at a time and "
    "needs PyTorch.  [default: cpu]",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line instead."
)
partial_option = click.option(
    "--partial",
    is_flag=True,
    help="Accept a file that is cut off or damaged, and draw the part before the damage.",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=Amount("100000 or 50M"),
    default=MAX_PIXELS,
    metavar="N",
    help="Refuse pictures of more than N pixels; N may have a unit, as in 50M.  [default: 2^28]",
)
white_option = click.option(
    "--white",
    type=FiniteRange(0, min_open=True),
    metavar="W",
    help="Value of a white sample, such as 4095 for 12 bits in a 16-bit file.  [default: the "
    "largest value]",
)


def engine_options(function: Function) -> Function:
    """Add --engine, --address and -j."""
    function = click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help="Pictures to work on at once, each on one thread.  [default: all CPUs]",
    )(function)
    function = click.option(
        "--address",
        metavar="ADDRESS",
        help="Ray cluster to work on, such as auto on one of its machines.  [default: Ray starts "
        "on this machine]",
    )(function)
    return click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        help="local works on threads, ray on processes here or on a cluster; it needs "
        "gaussianimage[ray].  [default: local]",
    )(function)


def check_device(device: str, batch: BatchOptions) -> None:
    """Check --device before any work is done.

    Raises
    ------
    UsageError
        If `device` is no device's name, the GPU does not exist, or several jobs would share one.
    ClickException
        If PyTorch or Triton is not installed.
    """
    if device == "cpu":
        return
    try:
        select_backend(device, 0)
    except (ValueError, GaussianImageError) as error:
        raise click.UsageError(f"--{error}.") from error
    except ImportError as error:
        raise click.ClickException(f"--device {device}: {error}") from error
    # PyTorch records CUDA graphs for the whole process; work on another thread would break them.
    if batch.jobs > 1:
        raise click.UsageError(f"--device {device} takes one file at a time; leave out --jobs.")


def _color(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            rgb(value)
        except ValueError as error:
            raise click.BadParameter(f"{str(error).removeprefix('background: ')}.") from None
    return value


def background_option(what: str) -> Callable[[Function], Function]:
    """Add --background; the function gets a color's name or None as `background`."""
    return click.option(
        "--background",
        metavar="COLOR",
        callback=_color,
        help=f'{what}: a name, or "#rrggbb".',
    )


def alpha_options(function: Function) -> Function:
    """Add --alpha-quality, --no-alpha and --background; the function gets them as `alpha`."""
    return packed(
        function,
        "alpha",
        lambda **values: values,
        click.option(
            "--alpha-quality",
            type=FiniteRange(0, 100),
            metavar="Q",
            help="100 keeps all fully transparent and opaque pixels exact, 0 none.  [default: 100]",
        ),
        click.option(
            "--no-alpha",
            "alpha",
            flag_value=False,
            default=True,
            help="Leave alpha out, and put the picture on --background, or on white.",
        ),
        background_option("Put pictures with alpha on a color, and leave alpha out"),
    )


def grain_option(function: Function) -> Function:
    """Add --no-grain; the function gets a bool as `grain`."""
    return click.option(
        "--no-grain",
        "grain",
        flag_value=False,
        default=True,
        help="Leave out the noise that the file describes in place of fine texture.",
    )(function)


def files_argument(metavar: str) -> Callable[[Function], Function]:
    """Add one or more names of files; the function gets them as `files`."""
    # With this type, shells complete the names; the existence of a file is checked later.
    return click.argument("files", nargs=-1, required=True, metavar=metavar, type=FILE)


def bit_depth_option(default: str) -> Callable[[Function], Function]:
    """Add --bit-depth; the function gets an int or None as `bit_depth`."""
    return click.option(
        "--bit-depth",
        type=click.Choice(["8", "16"]),
        callback=lambda _ctx, _param, value: value and int(value),
        help=f"Bits per sample, if the output's format supports them.  [default: {default}]",
    )


def batch_options(function: Function) -> Function:
    """Add -o, -r, -j, -t, --no-overwrite and --quiet; the function gets them as `batch`."""
    return packed(
        function,
        "batch",
        BatchOptions,
        click.option(
            "-o",
            "--output",
            type=FILE,
            metavar="OUTPUT",
            help="Output file or folder; all other names are inputs. A name that ends in / or has "
            "no extension is a folder, which is made if it does not exist.",
        ),
        click.option(
            "-r",
            "--recursive",
            is_flag=True,
            help="Take the files in folders and their subfolders; OUTPUT gets the same subfolders.",
        ),
        click.option(
            "-j",
            "--jobs",
            type=click.IntRange(1, 256),
            default=1,
            metavar="N",
            help="Number of files to work on at once; they share the threads.  [default: 1]",
        ),
        threads_option,
        click.option(
            "--no-overwrite",
            is_flag=True,
            help="Replace no file; an input whose output already exists counts as failed.",
        ),
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print one JSON object a line to stdout for each input, also for failed inputs.",
        ),
    )


def _ends(target: str) -> tuple[float, float]:
    """Return the least and the largest value of a target, whole numbers as int for the help."""
    least, most = (int(end) if end.is_integer() else end for end in TARGETS[target])
    return least, most


def target_options(function: Function) -> Function:
    """Add -q, -n, --bpp, --size, --psnr and --ssim; the function gets them as `target`."""
    return packed(
        function,
        "target",
        _one_target,
        click.option(
            "-q",
            "--quality",
            type=FiniteRange(*_ends("quality")),
            metavar="Q",
            help="0 (smallest file) to 100 (best picture). At 40 a photo is a preview (about 0.1 "
            "bits per pixel, 13 by SSIMULACRA 2), at 75 it looks good (0.6; 69, as AVIF's 55 and "
            "WebP's 74), and at 90 it is hard to tell from the source (1.1; 80, as AVIF's 72 and "
            f"WebP's 87).  [default: {DEFAULT_QUALITY:g}]",
        ),
        click.option(
            "-n",
            "--gaussians",
            type=click.IntRange(1, MAX_FITTED_GAUSSIANS),
            metavar="N",
            help="Number of Gaussians, instead of a quality.",
        ),
        click.option(
            "--bpp",
            type=FiniteRange(*_ends("bpp")),
            metavar="B",
            help="Largest number of bits per pixel of the file, instead of a quality.",
        ),
        click.option(
            "--size",
            type=Amount("20000, 20k or 20KiB", int(TARGETS["size"].most)),
            metavar="BYTES",
            help="Largest size of the file, such as 20000, 20k or 20KiB, instead of a quality.",
        ),
        click.option(
            "--psnr",
            type=FiniteRange(*_ends("psnr")),
            metavar="DB",
            help="PSNR of the decoded picture, instead of a quality.",
        ),
        click.option(
            "--ssim",
            type=FiniteRange(*_ends("ssim")),
            metavar="S",
            help="SSIM of the decoded picture, instead of a quality.",
        ),
    )


def metadata_options(function: Function) -> Function:
    """Add the options --strip... and --keep-...; the function gets them as `metadata`."""
    return packed(
        function,
        "metadata",
        _kept,
        click.option(
            "--strip", is_flag=True, help="Leave out all metadata: ICC profile, EXIF and XMP."
        ),
        click.option("--strip-gps", is_flag=True, help="Leave out the location from EXIF and XMP."),
        click.option(
            "--keep-icc", is_flag=True, help="Keep the ICC profile, and leave out other metadata."
        ),
        click.option(
            "--keep-exif",
            is_flag=True,
            help="Keep EXIF without the location, and leave out other metadata.",
        ),
        click.option(
            "--keep-xmp",
            is_flag=True,
            help="Keep XMP without the location, and leave out other metadata.",
        ),
        click.option(
            "--keep-gps", is_flag=True, help="Keep the location with --keep-exif or --keep-xmp."
        ),
    )


def _kept(*, strip: bool, strip_gps: bool, **given: bool) -> Kept:
    kept = tuple(kind for kind in KINDS if given[f"keep_{kind}"])
    if "gps" in kept and strip_gps:
        raise click.UsageError("--strip-gps and --keep-gps contradict each other.")
    if "gps" in kept and not {"exif", "xmp"} & set(kept):
        raise click.UsageError("--keep-gps goes with --keep-exif or --keep-xmp.")
    if kept or strip:
        return kept
    return tuple(kind for kind in KINDS if kind != "gps") if strip_gps else "all"


def _one_target(**values: Any) -> TargetOptions:
    given = [f"--{field.name}" for field in fields(TargetOptions) if values[field.name] is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} are two targets at once; give one of them.")
    return TargetOptions(**values)


def packed(
    function: Function,
    name: str,
    pack: Callable[..., Any],
    *options: Callable[[Function], Function],
) -> Function:
    """Add options to a function that gets all of them as one argument."""

    @functools.wraps(function)
    def wrapper(*args: Any, **values: Any) -> Any:
        together = {key: values.pop(key) for key in keys}
        return function(*args, **values, **{name: pack(**together)})

    before = len(getattr(wrapper, "__click_params__", []))
    decorated: Any = wrapper
    for option in reversed(options):
        decorated = option(decorated)
    keys = [parameter.name for parameter in decorated.__click_params__[before:]]
    return decorated  # type: ignore[no-any-return]
