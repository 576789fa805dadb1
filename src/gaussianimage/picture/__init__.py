"""Pictures in and out: files, arrays and Pillow images to and from `Picture`."""

from gaussianimage.picture.keeping import Kept, kept_kinds
from gaussianimage.picture.pixels import Picture, from_array, to_array
from gaussianimage.picture.reader import MAX_PIXELS, PictureSource, as_picture, read
from gaussianimage.picture.writer import write

__all__ = [
    "MAX_PIXELS",
    "Kept",
    "Picture",
    "PictureSource",
    "as_picture",
    "from_array",
    "kept_kinds",
    "read",
    "to_array",
    "write",
]
