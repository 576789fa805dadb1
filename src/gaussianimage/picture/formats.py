"""Files that Pillow alone does not read: their kinds, and the packages that read some of them."""

import re
from collections.abc import Callable
from typing import BinaryIO

from PIL import ImageFile

Factory = Callable[[BinaryIO, str], ImageFile.ImageFile]

# Bytes of a file's start that show its kind.
PREFIX = 1024

EXTENSIONS = frozenset({".heic", ".heif", ".jxl"})  # the formats of `plugin`
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
_JXL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"
_NEW_PAGE = "export the picture as PNG first"
_CONVERT = "convert it to PNG first"
_TAKE_OUT = "take the picture out of it first"
_DECOMPRESS = "decompress it first"
_FRAME = "take a frame out of it first"
_RIGHT_ONE = "is it the right one?"

# First bytes of a file, its kind with an article, and advice. The first match counts.
_PICTURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x8bGIMG\r\n\n", "a .gimg file already", "decode it first"),
    (b"%PDF-", "a PDF document", _NEW_PAGE),
    (b"\x76\x2f\x31\x01", "an OpenEXR file", "give its pixels as an array, with white="),
    (b"#?RADIANCE", "a Radiance HDR file", "give its pixels as an array, with white="),
    (b"#?RGBE", "a Radiance HDR file", "give its pixels as an array, with white="),
    (b"gimp xcf", "a GIMP project", _NEW_PAGE),
    (b"BPG\xfb", "a BPG picture", _CONVERT),
    (b"FLIF", "a FLIF picture", _CONVERT),
    (b"II\xbc", "a JPEG XR picture", _CONVERT),
    (b"FUJIFILM", "a raw photo of a camera", "develop it first"),
    (b"IIRO", "a raw photo of a camera", "develop it first"),
)
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x93NUMPY", "a NumPy file", "give the array that numpy.load returns"),
    (b"PK\x03\x04", "a ZIP archive, or a document in one", _TAKE_OUT),
    (b"Rar!", "a RAR archive", _TAKE_OUT),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _TAKE_OUT),
    (b"\x1f\x8b", "a file compressed by gzip", _DECOMPRESS),
    (b"BZh", "a file compressed by bzip2", _DECOMPRESS),
    (b"\xfd7zXZ\0", "a file compressed by xz", _DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "a file compressed by Zstandard", _DECOMPRESS),
    (b"\xd0\xcf\x11\xe0", "an OLE document, such as of Office or FlashPix", _NEW_PAGE),
    (b"{\\rtf", "an RTF document", _NEW_PAGE),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video", _FRAME),
    (b"OggS", "an Ogg stream", _FRAME),
    (b"\0\0\x01\xba", "an MPEG video", _FRAME),
    (b"\0\0\x01\xb3", "an MPEG video", _FRAME),
    (b"ID3", "an MP3 file", _RIGHT_ONE),
    (b"fLaC", "a FLAC file", _RIGHT_ONE),
    (b"\x7fELF", "a program", _RIGHT_ONE),
    (b"MZ", "a program", _RIGHT_ONE),
)
_MARKUP = (
    (rb"<!doctype html|<html[\s>]|<head[\s>]|<body[\s>]", "an HTML page"),
    (rb"<\?xml", "an XML file"),
)


def what_it_is(prefix: bytes) -> str | None:
    """Return a phrase for a file that Pillow does not read, by its first bytes; None if unknown."""
    for signature, name, advice in _PICTURES:
        if prefix.startswith(signature):
            return f"this is {name}; {advice}"
    # A safetensors file starts with the length of its JSON header, a multiple of 8, and the header.
    length = int.from_bytes(prefix[:8], "little")
    if prefix[8:10] in (b'{"', b"{}") and length % 8 == 0 and length < 1 << 32:
        return "this is a safetensors file, not a picture; `render` draws the Gaussians in one"
    if is_jpeg_xl(prefix):
        return "this is a JPEG XL file; the package pillow-jxl-plugin reads it"
    if is_heif(prefix):
        return (
            "this is an HEIF or HEIC file; the package pillow-heif reads it: install "
            "gaussianimage[heif]"
        )
    for signature, name, advice in _OTHERS:
        if prefix.startswith(signature):
            return _no_picture(name, advice)
    if prefix[4:8] == b"ftyp":
        return _no_picture("an MP4 or QuickTime video, or alike", _FRAME)
    if prefix[:4] == b"RIFF" and prefix[8:12] != b"WEBP":
        return _no_picture(f"a RIFF file of kind {prefix[8:12]!r}", _FRAME)
    text = prefix.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        if re.search(rb"<svg[\s>]", text, re.IGNORECASE):
            return "this is an SVG drawing; draw it as PNG with another program first"
        for pattern, name in _MARKUP:
            if re.search(pattern, text, re.IGNORECASE):
                return _no_picture(name, _RIGHT_ONE)
    return None


def text_or_unknown(prefix: bytes) -> str:
    """Return a phrase for a file of unknown kind: whether its first bytes are text."""
    if _is_text(prefix):
        return _no_picture("a text file", _RIGHT_ONE)
    return "not a picture in any format that is known here"


def plugin(prefix: bytes) -> Factory | None:
    """Return the class that opens an HEIF or JPEG XL file, None if its package is not installed.

    The package is imported only now, and Pillow is not changed in any other way.
    """
    try:
        if is_jpeg_xl(prefix):
            from pillow_jxl.JpegXLImagePlugin import (  # type: ignore[import-not-found,unused-ignore]
                JXLImageFile,
            )

            return JXLImageFile  # type: ignore[no-any-return,unused-ignore]
        if is_heif(prefix):
            from pillow_heif import (  # type: ignore[import-not-found,unused-ignore]
                HeifImageFile,
            )

            return HeifImageFile  # type: ignore[no-any-return,unused-ignore]
    except ImportError:
        pass
    return None


def is_heif(prefix: bytes) -> bool:
    """Whether a file starts as an HEIF file does, AVIF files excluded, which Pillow reads."""
    brands = prefix[8 : max(int.from_bytes(prefix[:4], "big"), 12)]
    return (
        prefix[4:8] == b"ftyp"
        and brands[:4] in _HEIF_BRANDS
        and not (b"avif" in brands or b"avis" in brands)
    )


def is_jpeg_xl(prefix: bytes) -> bool:
    """Whether a file starts as a JPEG XL codestream or container does."""
    return prefix.startswith((b"\xff\x0a", _JXL_BOX))


def jpeg_xl_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from the header of a JPEG XL file.

    Return None if the header is not at its place.
    """
    start = 0
    if data.startswith(_JXL_BOX):
        place = max(data.find(b"jxlc"), 0)
        start = place + 4
        if not place:
            place = data.find(b"jxlp")
            start = place + 8
        if place < 4:
            return None
    if data[start : start + 2] != b"\xff\x0a":
        return None
    header = int.from_bytes(data[start + 2 : start + 16], "little")

    def take(bits: int) -> int:
        nonlocal header
        value = header & ((1 << bits) - 1)
        header >>= bits
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)
    if ratio:
        above, below = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return height * above // below, height
    return side(), height


def _no_picture(name: str, advice: str) -> str:
    return f"not a picture but {name}; {advice}"


def _is_text(prefix: bytes) -> bool:
    try:
        text = prefix.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(prefix) - 3:
            return False
        text = prefix[: error.start].decode("utf-8")
    return len(text) > 3 and all(c.isprintable() or c in "\t\r\n\f" for c in text)
