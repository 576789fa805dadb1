"""The codec for numcodecs, and with it for arrays of Zarr's format 2."""

from typing import Any, Self

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray, ndarray_copy

from gaussianimage.array_codecs.chunks import NAME, ChunkOptions, decode_chunk, encode_chunk


class GaussianImage(Codec):
    """A lossy codec that stores a chunk as a ``.gimg`` file.

    Parameters
    ----------
    quality, bpp, size, psnr, ssim : number, optional
        The target for each chunk, as for `gaussianimage.encode`; quality 75 if none is given.
    effort : int, default 5
        1 (fastest) to 10 (smallest).

    Raises
    ------
    TypeError, ValueError
        An argument is of a wrong type or out of range, or there is more than one target.

    Notes
    -----
    Chunks are uint8 or uint16 arrays of shape (H, W) or (H, W, C), in C order, with C = 1 to 4;
    axes of length 1 may come before these. The last of 2 or 4 channels is alpha, and a pixel of
    alpha 0 loses its color.
    """

    codec_id = NAME

    def __init__(
        self,
        quality: float | None = None,
        bpp: float | None = None,
        size: int | None = None,
        psnr: float | None = None,
        ssim: float | None = None,
        effort: int = ChunkOptions.effort,
    ) -> None:
        self._options = ChunkOptions(
            quality=quality, bpp=bpp, size=size, psnr=psnr, ssim=ssim, effort=effort
        )

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self._options.given().items())
        return f"GaussianImage({given})"

    def encode(self, buf: Any) -> bytes:
        """Encode a chunk.

        Parameters
        ----------
        buf : ndarray, uint8 or uint16

        Raises
        ------
        TypeError, ValueError
            The chunk is no picture, or not in C order.
        """
        chunk = np.asarray(buf)
        if not chunk.flags.c_contiguous and chunk.flags.f_contiguous:
            # A reader would not know that the axes have changed their places.
            raise ValueError("chunk: expected C order, got Fortran order")
        return encode_chunk(chunk, self._options)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk.

        Parameters
        ----------
        buf : bytes-like
            What `encode` returned.
        out : ndarray, optional
            Where to write the pixels, of as many bytes.

        Returns
        -------
        ndarray, (H, W) or (H, W, C)
            `out` itself if it is given.

        Raises
        ------
        FormatError, TruncatedError, UnsupportedError, LimitError, ValueError
            The bytes are no valid file, or `out` does not fit.
        """
        data = memoryview(ensure_contiguous_ndarray(buf)).cast("B")
        return ndarray_copy(decode_chunk(data), out)

    def get_config(self) -> dict[str, Any]:
        """Return the codec's name and arguments, as JSON can hold them."""
        return {"id": self.codec_id, **self._options.given()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the codec of such a configuration, which has no ``id``."""
        return cls(**config)
