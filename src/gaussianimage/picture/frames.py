"""Counting the pages or frames of a file."""

from typing import BinaryIO

from PIL import ImageFile

from gaussianimage.picture import tiff

# Formats whose number of frames is known on opening. Formats of one picture in several sizes (ICO,
# ICNS), in layers (PSD), or with its depth or brightness (MPO) are left out.
_KNOWN = ("PNG", "WEBP", "AVIF", "HEIF", "FLI", "DCX")
_MOST = 10_000


def several(image: ImageFile.ImageFile, file: BinaryIO) -> str | None:
    """Return a message on the pages or frames of a file, None if it has only one.

    The position in the file is unchanged.
    """
    if image.format not in ("TIFF", "GIF", *_KNOWN):
        return None
    position = file.tell()
    try:
        if image.format == "TIFF":
            count, preview = tiff.pages(file)
            if preview:
                return (
                    "the first page is a preview, as in a raw photo, and the only one that is read"
                )
            what = "pages"
        else:
            what = "frames"
            known = getattr(image, "n_frames", 1) if image.format in _KNOWN else None
            count = _gif_frames(file) if known is None else known
    finally:
        file.seek(position)
    if count < 2:
        return None
    number = f"more than {_MOST:,}" if count > _MOST else str(count)
    return f"the file has {number} {what}; the first is read"


def _gif_frames(file: BinaryIO) -> int:
    """Count the image descriptors of a GIF file, which is faster than Pillow's count."""
    file.seek(10)
    flags = file.read(1)
    file.seek(13 + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 128 else 0))
    count = 0
    while count <= _MOST:
        kind = file.read(1)
        if kind == b",":
            flags = file.read(9)[8:]
            if not flags:
                break
            count += 1
            file.seek((3 << (flags[0] & 7) + 1 if flags[0] & 128 else 0) + 1, 1)
        elif kind == b"!":
            file.seek(1, 1)
        else:
            break
        while (length := file.read(1)) > b"\0":
            file.seek(length[0], 1)
    return count
