"""What a file is that Pillow alone does not read, and the packages that read some of them."""

import re
from collections.abc import Callable
from typing import BinaryIO

from PIL import ImageFile

Factory = Callable[[BinaryIO, str], ImageFile.ImageFile]

# This much of a file's start tells what it is.
PREFIX = 1024

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
_JXL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"
_NEW_PAGE = "export the picture as PNG first"

# Start of the file, its name with an article, and what to do about it. The first that fits counts.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x8bGIMG\r\n\n", "a .gimg file already", "decode it first"),
    (b"%PDF-", "a PDF document", f"it may hold pages and texts; {_NEW_PAGE}"),
    (b"%!PS", "a PostScript program", _NEW_PAGE),
    (b"\xc5\xd0\xd3\xc6", "an EPS file", _NEW_PAGE),
    (b"\xd7\xcd\xc6\x9a", "a WMF drawing", _NEW_PAGE),
    (b"\x93NUMPY", "a NumPy file", "give the array that numpy.load returns"),
    (b"PK\x03\x04", "a ZIP archive, or a document in one", "take the picture out of it first"),
    (b"\x1f\x8b", "a file compressed by gzip", "decompress it first"),
    (b"BZh", "a file compressed by bzip2", "decompress it first"),
    (b"\xfd7zXZ\0", "a file compressed by xz", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "a file compressed by Zstandard", "decompress it first"),
    (b"Rar!", "a RAR archive", "take the picture out of it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "take the picture out of it first"),
    (b"\x89HDF\r\n", "an HDF5 file", "give the array in it"),
    (b"\x76\x2f\x31\x01", "an OpenEXR file", "give its pixels as an array, with white="),
    (b"#?RADIANCE", "a Radiance HDR file", "give its pixels as an array, with white="),
    (b"#?RGBE", "a Radiance HDR file", "give its pixels as an array, with white="),
    (b"\xd0\xcf\x11\xe0", "an OLE document, such as of Office or FlashPix", _NEW_PAGE),
    (b"gimp xcf", "a GIMP project", _NEW_PAGE),
    (b"qoif", "a broken QOI file", ""),
    (b"BPG\xfb", "a BPG picture", "convert it to PNG first"),
    (b"FLIF", "a FLIF picture", "convert it to PNG first"),
    (b"II\xbc", "a JPEG XR picture", "convert it to PNG first"),
    (b"FUJIFILM", "a raw photo of a camera", "develop it first"),
    (b"IIRO", "a raw photo of a camera", "develop it first"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video", "take a frame out of it first"),
    (b"OggS", "an Ogg stream", "take a frame out of it first"),
    (b"\0\0\x01\xba", "an MPEG video", "take a frame out of it first"),
    (b"\0\0\x01\xb3", "an MPEG video", "take a frame out of it first"),
    (b"ID3", "an MP3 file", ""),
    (b"fLaC", "a FLAC file", ""),
    (b"\x7fELF", "a program", ""),
    (b"MZ", "a program", ""),
    (b"{\\rtf", "an RTF document", _NEW_PAGE),
)
_MARKUP = (
    (rb"<svg[\s>]", "an SVG drawing", "draw it with another program first, as PNG"),
    (rb"<!doctype html|<html[\s>]|<head[\s>]|<body[\s>]", "an HTML page", "is it the right one?"),
    (rb"<\?xml", "an XML file", "is it the right one?"),
)


def what_it_is(prefix: bytes) -> str | None:
    """Return what a file is that can't be read as a picture, by its start; None if unknown."""
    for signature, name, advice in _SIGNATURES:
        if prefix.startswith(signature):
            return _sentence(name, advice)
    if is_jpeg_xl(prefix):
        return _sentence("a JPEG XL file", "the package pillow-jxl-plugin reads it")
    if is_heif(prefix):
        return _sentence(
            "an HEIF or HEIC file", "the package pillow-heif reads it: install gaussianimage[heif]"
        )
    if prefix[4:8] == b"ftyp":
        return _sentence("an MP4 or QuickTime video, or alike", "take a frame out of it first")
    if prefix[:4] == b"RIFF":
        return _sentence(f"a RIFF file of kind {prefix[8:12]!r}", "")
    text = prefix.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        for pattern, name, advice in _MARKUP:
            if re.search(pattern, text, re.IGNORECASE):
                return _sentence(name, advice)
    return None


def plugin(prefix: bytes) -> Factory | None:
    """Return what opens an HEIF or JPEG XL file, if the package for it is installed.

    The package is imported only now; nothing else of Pillow's is changed by us.
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
    """Whether a file starts as HEIF files do that are not AVIF files, which Pillow reads."""
    brands = prefix[8 : max(int.from_bytes(prefix[:4], "big"), 12)]
    return (
        prefix[4:8] == b"ftyp"
        and brands[:4] in _HEIF_BRANDS
        and not (b"avif" in brands or b"avis" in brands)
    )


def is_jpeg_xl(prefix: bytes) -> bool:
    """Whether a file starts as a JPEG XL codestream does, or as its container."""
    return prefix.startswith((b"\xff\x0a", _JXL_BOX))


def jpeg_xl_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as the header of a JPEG XL file gives them.

    None if the header is not where it should be.
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


def _sentence(name: str, advice: str) -> str:
    return f"this is {name}; {advice}" if advice else f"this is {name}, not a picture"


def is_text(prefix: bytes) -> bool:
    """Whether a file starts with a text in UTF-8."""
    try:
        text = prefix.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(prefix) - 3:
            return False
        text = prefix[: error.start].decode("utf-8")
    return len(text) > 3 and all(c.isprintable() or c in "\t\r\n\f" for c in text)
