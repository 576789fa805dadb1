"""The work on the bytes of one picture: encoding, decoding or drawing a thumbnail."""

import hashlib
import inspect
import io
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaussianimage._util.arguments import integer, positive, side
from gaussianimage.codec.decoder.decode import decode_picture, thumbnail
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, parse_file
from gaussianimage.codec.encoder.effort import effort_level
from gaussianimage.codec.encoder.encode import (
    Q_MAX,
    EncodeResult,
    encode,
    encode_with_result,
)
from gaussianimage.codec.encoder.prepare import AlphaOptions, prepare
from gaussianimage.codec.encoder.targets import DEFAULT_QUALITY, INTEGERS, TARGETS, Target
from gaussianimage.picture.keeping import kept_kinds
from gaussianimage.picture.pixels import Picture, from_array
from gaussianimage.picture.reader import MAX_PIXELS, read, readable_extensions
from gaussianimage.picture.writer import extensions, takes_quality, write

__all__ = ["VERBS", "Task", "Worked", "encoded_facts", "make_task"]

VERBS = ("encode", "decode", "thumbnail")

LONGEST = 256
_SIDE = 16  # pixels of the picture that options are tried on
_NOT_OPTIONS = frozenset({"picture", "threads", "device", "progress", "on_interrupt"})


class Worked(NamedTuple):
    """The file that a task made, and facts about it for the manifest."""

    data: bytes
    facts: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is done to every picture of a batch.

    Parameters
    ----------
    verb : {"encode", "decode", "thumbnail"}
    suffix : str
        Extension of the outputs, such as ``.gimg``.
    options : mapping
        All options that determine the output, defaults too.
    """

    verb: str
    suffix: str
    options: Mapping[str, Any]

    @property
    def extensions(self) -> Collection[str]:
        """The extensions of inputs in a folder, in lower case."""
        return readable_extensions() if self.verb == "encode" else {".gimg"}

    @property
    def digest(self) -> str:
        """A hash of the verb and all options: 12 hexadecimal digits."""
        values = {"verb": self.verb, "suffix": self.suffix, **self.options}
        text = json.dumps(values, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __call__(self, data: bytes) -> Worked:
        """Return the output for the bytes of an input; the work takes one thread.

        Raises
        ------
        GaussianImageError
            If the input is broken or exceeds a limit.
        """
        return _WORK[self.verb](data, **self.options)


def make_task(verb: str, options: Mapping[str, Any]) -> Task:
    """Return a task whose options have been checked on a tiny picture.

    Parameters
    ----------
    verb : {"encode", "decode", "thumbnail"}
    options : mapping
        For "encode", arguments of `gaussianimage.encode` but those of the work itself (`threads`,
        `device`, `progress`, `on_interrupt`), and `max_pixels`. For "decode", `format` (an
        extension, ".png" by default), `quality` (1 to 100, of JPEG, WebP and AVIF) and `metadata`.
        For "thumbnail", these and `longest`, the most pixels a side, 256 by default.

    Raises
    ------
    TypeError, ValueError
        If an option has a wrong type, is out of range, or doesn't exist.
    """
    if verb not in VERBS:
        raise ValueError(f"task: expected one of {', '.join(VERBS)}, got {verb!r}")
    known = _defaults(verb)
    for name in options:
        if name not in known:
            raise TypeError(f"{name}: no option of {verb}; there are {', '.join(sorted(known))}")
    values = {**known, **options}
    if verb == "encode":
        if all(values[name] is None for name in TARGETS):
            values["quality"] = DEFAULT_QUALITY
        for name in TARGETS:
            if name not in INTEGERS and isinstance(values[name], int):
                values[name] = float(values[name])  # 60 is 60.0 for the hash too
        suffix = ".gimg"
    else:
        suffix = _suffix(values["format"])
        values["format"] = suffix
    values["metadata"] = sorted(kept_kinds(values["metadata"]))
    (_check_encoding if verb == "encode" else _check_writing)(values)
    return Task(verb, suffix, values)


def _defaults(verb: str) -> dict[str, Any]:
    if verb == "encode":
        parameters = inspect.signature(encode).parameters
        given = {name: p.default for name, p in parameters.items() if name not in _NOT_OPTIONS}
        return {**given, "max_pixels": MAX_PIXELS}
    own = {"format": ".png", "quality": None, "metadata": "all"}
    return own if verb == "decode" else {**own, "longest": LONGEST}


def _suffix(format: Any) -> str:  # noqa: A002 - as `write` calls it
    suffix = f".{str(format).lower().removeprefix('.')}"
    if suffix not in extensions():
        raise ValueError(f"format: no picture format has the extension {suffix!r}")
    return suffix


def _check_encoding(options: Mapping[str, Any]) -> None:
    """Check the options of "encode" by preparing a tiny picture."""
    slope = np.linspace(0, 255, _SIDE, dtype=np.uint8)
    pixels = np.stack(np.broadcast_arrays(slope, slope[:, None], slope), axis=2)
    target = Target.parse(**{name: options[name] for name in TARGETS})
    alpha = AlphaOptions(options["alpha"], options["alpha_quality"], options["background"])
    picture = from_array(pixels, white=options["white"], warn=_no_one)
    prepare(picture, target, alpha, options["metadata"], q_max=Q_MAX)
    effort_level(options["effort"])
    if not 0 <= integer("seed", options["seed"]) < 2**63:
        raise ValueError(f"seed: expected 0 to 2^63 - 1, got {options['seed']}")
    positive("max_pixels", options["max_pixels"])


def _check_writing(options: Mapping[str, Any]) -> None:
    """Check the options of "decode" and "thumbnail"."""
    quality = options["quality"]
    if quality is not None:
        if not takes_quality("", options["format"]):
            raise ValueError(f"quality: is for JPEG, WebP and AVIF, not for {options['format']}")
        if not 1 <= integer("quality", quality) <= 100:
            raise ValueError(f"quality: expected 1 to 100, got {quality}")
    if "longest" in options:
        side("longest", options["longest"])


def _no_one(_message: str) -> None:
    """Drop a warning about the picture that options are tried on."""


def _encode_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: value for k, value in options.items() if k not in ("white", "max_pixels")}


def _encode(data: bytes, **options: Any) -> Worked:
    warned: list[str] = []
    picture = read(
        data, white=options["white"], max_pixels=options["max_pixels"], warn=warned.append
    )
    encoded = encode_with_result(picture, threads=1, **_encode_options(options))
    facts = encoded_facts(encoded)
    if warned:
        facts["warning"] = "; ".join(warned)
    return Worked(encoded.data, facts)


def encoded_facts(encoded: EncodeResult) -> dict[str, Any]:
    """Return what is told about an encoded file, in types of JSON: its size and its quality."""
    return {
        "width": encoded.width,
        "height": encoded.height,
        "gaussians": encoded.gaussians,
        "psnr": encoded.psnr if math.isfinite(encoded.psnr) else None,
        "ssim": encoded.ssim,
    }


def _decode(
    data: bytes,
    *,
    format: str,  # noqa: A002 - as `write` calls it
    quality: int | None,
    metadata: Any,
) -> Worked:
    return _written(decode_picture(data, threads=1), data, format, quality, metadata)


def _thumbnail(
    data: bytes,
    *,
    format: str,  # noqa: A002 - as `write` calls it
    quality: int | None,
    metadata: Any,
    longest: int,
) -> Worked:
    extras = parse_file(data, limits=DEFAULT_LIMITS).metadata
    pixels = thumbnail(data, longest, threads=1)
    picture = from_array(pixels, icc=extras.icc, exif=extras.exif, xmp=extras.xmp, warn=_no_one)
    return _written(picture, data, format, quality, metadata)


def _written(
    picture: Picture, data: bytes, suffix: str, quality: int | None, metadata: Any
) -> Worked:
    buffer = io.BytesIO()
    options: dict[str, Any] = {} if quality is None else {"quality": quality}
    write(buffer, picture.keeping(metadata), format=suffix, **options)
    header = parse_file(data, limits=DEFAULT_LIMITS).header
    facts = {"width": picture.width, "height": picture.height, "gaussians": header.gaussians}
    return Worked(buffer.getvalue(), facts)


_WORK: dict[str, Callable[..., Worked]] = {
    "encode": _encode,
    "decode": _decode,
    "thumbnail": _thumbnail,
}
