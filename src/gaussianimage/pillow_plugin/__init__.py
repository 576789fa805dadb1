"""The format for Pillow: after an import of this module, ``PIL.Image`` opens and saves ``.gimg``.

`register_gimg_opener` registers it again with other options.
"""

from functools import partial

from PIL import Image

from gaussianimage.codec.decoder.file import DEFAULT_LIMITS
from gaussianimage.codec.format.container import EXTENSION, MIME_TYPE, SIGNATURE
from gaussianimage.codec.format.header import Limits
from gaussianimage.pillow_plugin.options import PluginOptions
from gaussianimage.pillow_plugin.reading import GimgImageFile
from gaussianimage.pillow_plugin.writing import save, save_all

__all__ = ["GimgImageFile", "register_gimg_opener"]


def register_gimg_opener(
    *, threads: int | None = None, limits: Limits = DEFAULT_LIMITS, effort: int | None = None
) -> None:
    """Register the format with Pillow, for this process.

    An import of this module does it with the defaults. Images that are open keep the options that
    they were opened with.

    Parameters
    ----------
    threads : int, optional
        Threads to decode and encode with, 1 to 256; all CPUs that this process may run on by
        default. ``save(threads=)`` takes precedence.
    limits : Limits, optional
        What to refuse to decode. In place of `max_pixels` and `warn_pixels`, Pillow's own guard
        against decompression bombs counts, ``PIL.Image.MAX_IMAGE_PIXELS``.
    effort : int, optional
        1 (fastest) to 10 (smallest), for ``save`` without ``effort=``; 5 by default.

    Raises
    ------
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    options = PluginOptions(threads, limits, effort)
    name = GimgImageFile.format
    Image.register_open(name, partial(GimgImageFile, options=options), _accepts)
    Image.register_save(name, partial(save, options=options))
    Image.register_save_all(name, partial(save_all, options=options))
    Image.register_extension(name, EXTENSION)
    Image.register_mime(name, MIME_TYPE)


def _accepts(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


register_gimg_opener()
