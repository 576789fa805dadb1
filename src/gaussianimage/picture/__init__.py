"""Reading and writing pictures: files, arrays and Pillow images to and from `Picture`."""

from gaussianimage.picture.flatten import WHITE, Color, flatten, flatten_array, rgb
from gaussianimage.picture.keeping import Kept, kept_kinds
from gaussianimage.picture.pixels import Ends, Picture, from_array, to_array
from gaussianimage.picture.reader import MAX_PIXELS, PictureSource, as_picture, read
from gaussianimage.picture.writer import write

__all__ = [
    "MAX_PIXELS",
    "WHITE",
    "Color",
    "Ends",
    "Kept",
    "Picture",
    "PictureSource",
    "as_picture",
    "flatten",
    "flatten_array",
    "from_array",
    "kept_kinds",
    "read",
    "rgb",
    "to_array",
    "write",
]
