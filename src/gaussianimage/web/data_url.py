"""A `.gimg` file as a data: address, to put into a page."""

import base64

from gaussianimage.codec.decoder.file import TiledContent, parse_file
from gaussianimage.codec.decoder.ranges import ByteRanges
from gaussianimage.codec.decoder.source import Source, reading
from gaussianimage.codec.format.container import MIME_TYPE
from gaussianimage.errors import UnsupportedError

__all__ = ["data_url"]


def data_url(source: Source) -> str:
    """Return a ``.gimg`` file as a ``data:`` address in base 64.

    A file of a few hundred bytes (``encode(picture, size=400)``) is a preview that a page holds
    itself: ``<gimg-image placeholder="...">`` shows it at once.

    Parameters
    ----------
    source : path-like, bytes-like or binary stream
        The whole file, as for `decode`.

    Returns
    -------
    str
        ``data:image/x-gaussianimage;base64,`` and 4 characters for each 3 bytes of the file.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError, OSError
        As for `decode`; the layers are not decoded.
    """
    with reading(source) as data:
        if isinstance(parse_file(data).content, TiledContent) or isinstance(data, ByteRanges):
            raise UnsupportedError("a page can't hold a tiled file; serve its tiles")
        text = base64.b64encode(data).decode("ascii")
    return f"data:{MIME_TYPE};base64,{text}"
