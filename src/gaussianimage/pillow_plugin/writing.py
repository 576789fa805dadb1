"""Saving an image of Pillow's as a file."""

from typing import IO, TYPE_CHECKING, Any

from PIL import Image

from gaussianimage.errors import GaussianImageError
from gaussianimage.pillow_plugin.options import PluginOptions

if TYPE_CHECKING:
    from gaussianimage.picture import Picture

# Arguments of `gaussianimage.encode` that ``save`` passes on. It ignores others, as all of Pillow's
# plugins do, because programs pass the same arguments for every format.
_PASSED_ON = (
    "quality",
    "gaussians",
    "bpp",
    "size",
    "psnr",
    "ssim",
    "alpha_quality",
    "metadata",
    "progressive",
    "tune",
    "effort",
    "seed",
    "threads",
    "progress",
)


def save(
    image: Image.Image,
    fp: IO[bytes],
    filename: str | bytes,  # noqa: ARG001 - Pillow's own argument
    *,
    options: PluginOptions,
) -> None:
    """Write an image as a ``.gimg`` file, as ``Image.save`` asks for.

    Parameters
    ----------
    image : Image
        Its `encoderinfo` holds the arguments of ``save``: one of the targets `quality`,
        `gaussians`, `bpp`, `size`, `psnr` and `ssim`; `alpha_quality`, `metadata`, `progressive`,
        `tune`, `effort`, `seed`, `threads` and `progress`, as `gaussianimage.encode` takes them;
        `white`, as `gaussianimage.as_picture` does; and `icc_profile`, `exif` and `xmp`, of which
        the first is that of the image by default.
    fp : binary file
    filename : str or bytes
        Not used.
    options : PluginOptions

    Raises
    ------
    OSError
        The image's pixels can't be stored.
    TypeError, ValueError
        An argument is of a wrong type or out of range, there is more than one target, or `exif` is
        not EXIF data.
    """
    # The encoder takes long to import, and opening files does not need it.
    from gaussianimage.codec.encoder.encode import encode

    given = {name: value for name, value in image.encoderinfo.items() if value is not None}
    arguments: dict[str, Any] = {"threads": options.threads}
    if options.effort is not None:
        arguments["effort"] = options.effort
    arguments |= {name: given[name] for name in _PASSED_ON if name in given}
    try:
        data = encode(_picture(image), **arguments)
    except GaussianImageError as error:
        raise OSError(f"cannot write mode {image.mode} as GIMG: {error}") from error
    fp.write(data)


def save_all(
    image: Image.Image, fp: IO[bytes], filename: str | bytes, *, options: PluginOptions
) -> None:
    """Write an image of one frame, as ``Image.save(save_all=True)`` asks for.

    Raises
    ------
    ValueError
        There are several frames.
    OSError, TypeError
        As for `save`.
    """
    frames = [image, *image.encoderinfo.get("append_images", ())]
    count = sum(getattr(frame, "n_frames", 1) for frame in frames)
    if count > 1:
        raise ValueError(f"save_all: a .gimg file holds one picture, got {count} frames")
    save(image, fp, filename, options=options)


def _picture(image: Image.Image) -> "Picture":
    """Return what is to be encoded: upright by the EXIF data that goes into the file.

    The image's own EXIF data does not count: a caller may have turned the pixels already.
    """
    from gaussianimage.picture import as_picture  # as late as the encoder

    plain = image.copy()
    asked = image.encoderinfo
    profile = asked.get("icc_profile", image.info.get("icc_profile"))
    info = {
        "icc_profile": _data("icc_profile", profile),
        "exif": _data("exif", asked.get("exif")),
        "xmp": _data("xmp", asked.get("xmp")),
        "transparency": image.info.get("transparency"),
    }
    plain.info = {name: value for name, value in info.items() if value is not None}
    picture = as_picture(plain, white=asked.get("white"))
    if "exif" in plain.info and picture.exif is None:
        raise ValueError("exif: expected EXIF data, from its II or MM on or with 'Exif' before it")
    return picture


def _data(name: str, value: object) -> bytes | None:
    """Return metadata as bytes, or None where there is none."""
    if isinstance(value, Image.Exif):
        return value.tobytes() if len(value) else None
    if isinstance(value, str) and name == "xmp":
        value = value.encode("utf-8")
    if value is not None and not isinstance(value, bytes):
        raise TypeError(f"{name}: expected bytes, got {type(value).__name__}")
    return value or None
