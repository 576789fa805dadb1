"""Make the 16-bit TIFF files beside this script: ``pip install tifffile imagecodecs`` first.

The files are kept because no library that this project uses writes these layouts. Every pixel
follows from its place, `sample` here and in ``tests/picture/test_deep.py``.
"""

from pathlib import Path

import numpy as np
import tifffile

HEIGHT, WIDTH = 5, 7


def sample(channels: int) -> np.ndarray:
    """Make pixels (5, 7, C) that use all 16 bits."""
    y, x, k = np.mgrid[0:HEIGHT, 0:WIDTH, 0:channels]
    return ((y * 12007 + x * 3011 + k * 21377 + 99) % 65536).astype(np.uint16)


def premultiplied(pixels: np.ndarray) -> np.ndarray:
    """Multiply color by alpha."""
    alpha = pixels[..., -1:].astype(np.uint32)
    return np.concatenate([pixels[..., :-1] * alpha // 65535, alpha], axis=2).astype(np.uint16)


def save(name: str, pixels: np.ndarray, *, planar: bool = False, alpha: str = "", **options):
    """Write one file beside this script."""
    channels = pixels.shape[2]
    options["photometric"] = options.get("photometric", "rgb" if channels > 2 else "minisblack")
    if channels == 1:
        pixels = pixels[..., 0]
    elif planar:
        pixels = np.moveaxis(pixels, 2, 0)
        options["planarconfig"] = "separate"
    if alpha:
        options["extrasamples"] = [alpha]
    path = Path(__file__).parent / f"{name}.tif"
    tifffile.imwrite(path, pixels, software=None, metadata=None, **options)


def main() -> None:
    """Make all files."""
    big, tiled = {"byteorder": ">"}, {"tile": (16, 16)}
    deflate = {"compression": "zlib", "predictor": True}
    gray, rgb, rgba = sample(1), sample(3), sample(4)
    save("gray_be_deflate", gray, **big, **deflate)
    save("gray_le_white_is_zero", gray, photometric="miniswhite")
    save("rgb_le", rgb)
    save("rgb_be", rgb, **big)
    save("rgb_be_tiled", rgb, **big, **tiled)
    save("rgb_le_deflate", rgb, **deflate)
    save("rgb_be_lzw_tiled", rgb, **big, **tiled, compression="lzw")
    save("rgb_le_planar", rgb, planar=True)
    save("rgb_be_planar_tiled", rgb, planar=True, **big, **tiled)
    save("rgb_le_planar_deflate", rgb, planar=True, **deflate)
    save("rgba_le", rgba, alpha="unassalpha")
    save("rgba_be_planar", rgba, alpha="unassalpha", planar=True, **big)
    save("rgba_le_premultiplied", premultiplied(rgba), alpha="assocalpha")
    save(
        "rgba_be_premultiplied_lzw",
        premultiplied(rgba),
        alpha="assocalpha",
        **big,
        compression="lzw",
    )
    save("rgbx_le", rgba, alpha="unspecified")


if __name__ == "__main__":
    main()
