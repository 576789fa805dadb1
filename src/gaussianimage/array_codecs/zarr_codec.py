"""The codec for arrays of Zarr's format 3."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from gaussianimage.array_codecs.chunks import (
    NAME,
    ChunkOptions,
    check_dtype,
    decode_chunk,
    encode_chunk,
    picture_shape,
)

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer


@dataclass(frozen=True, init=False)
class GaussianImageCodec(ArrayBytesCodec):
    """A lossy codec that stores a chunk as a ``.gimg`` file: a serializer of an array.

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
    Chunks are uint8 or uint16 arrays of shape (H, W) or (H, W, C) with C = 1 to 4; axes of length 1
    may come before these. The last of 2 or 4 channels is alpha, and a pixel of alpha 0 loses its
    color. No compressor after it makes the bytes fewer: give ``compressors=None``.
    """

    is_fixed_size = False

    options: ChunkOptions

    def __init__(
        self,
        *,
        quality: float | None = None,
        bpp: float | None = None,
        size: int | None = None,
        psnr: float | None = None,
        ssim: float | None = None,
        effort: int = ChunkOptions.effort,
    ) -> None:
        options = ChunkOptions(
            quality=quality, bpp=bpp, size=size, psnr=psnr, ssim=ssim, effort=effort
        )
        object.__setattr__(self, "options", options)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the codec that an array's metadata describes."""
        if data.get("name") != NAME:
            raise ValueError(f"name: expected {NAME!r}, got {data.get('name')!r}")
        return cls(**(data.get("configuration") or {}))

    def to_dict(self) -> dict[str, Any]:
        """Return the codec's name and arguments for an array's metadata."""
        return {"name": NAME, "configuration": self.options.given()}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:  # noqa: ARG002
        """Refuse an array whose chunks are no pictures.

        Raises
        ------
        TypeError, ValueError
            The type or the shape of the chunks is another.
        """
        check_dtype(dtype.to_native_dtype().newbyteorder("="))
        chunk_shape = getattr(chunk_grid, "chunk_shape", None)
        if chunk_shape is not None:
            picture_shape(chunk_shape)

    async def _decode_single(self, chunk_data: "Buffer", chunk_spec: "ArraySpec") -> "NDBuffer":
        pixels = await asyncio.to_thread(decode_chunk, chunk_data.to_bytes())
        dtype = chunk_spec.dtype.to_native_dtype()
        if pixels.dtype != dtype.newbyteorder("=") or pixels.size != np.prod(chunk_spec.shape):
            raise ValueError(
                f"chunk: expected {dtype} of shape {chunk_spec.shape}, got {pixels.dtype} of shape "
                f"{pixels.shape}"
            )
        whole = pixels.astype(dtype, copy=False).reshape(chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(whole)

    async def _encode_single(
        self, chunk_data: "NDBuffer", chunk_spec: "ArraySpec"
    ) -> "Buffer | None":
        chunk = chunk_data.as_numpy_array()
        chunk = chunk.astype(chunk.dtype.newbyteorder("="), order="C", copy=False)
        data = await asyncio.to_thread(encode_chunk, chunk, self.options)
        return chunk_spec.prototype.buffer.from_bytes(data)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: "ArraySpec") -> int:
        """Raise NotImplementedError: the size of a file depends on its picture."""
        raise NotImplementedError
