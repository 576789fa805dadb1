"""Static frequencies of indices, four bits a symbol, and the slots of 2³² that each symbol gets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gaussianimage.codec.paper_profile.ans import PRECISION
from gaussianimage.codec.paper_profile.quantizers import Indices

# Half-octaves from 16 up. A frequency that is wrong by up to a quarter of an octave costs less than
# 0.01 bits a symbol; finer weights would cost more to store than they save.
WEIGHTS = (0, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024, 1448, 2048)

_TRIALS = 8


def levels_for(indices: Indices, bits: int) -> NDArray[np.uint8]:
    """Return each symbol's level, 0 to 15, (2^bits,): its frequency is about WEIGHTS[level].

    Parameters
    ----------
    indices : ndarray, (N,)
        Indices of one field of all Gaussians, N ≥ 1.
    bits : int
        Bits of an index.
    """
    counts = np.bincount(indices, minlength=2**bits)
    seen = counts > 0
    octaves = np.log2(counts[seen] / counts.max())
    # The rounding of the highest count shifts the level of every symbol; several shifts are tried.
    tables = []
    for trial in range(_TRIALS):
        levels = np.zeros(2**bits, np.uint8)
        rounded = np.rint(len(WEIGHTS) - 1 - trial / _TRIALS + 2 * octaves)
        levels[seen] = np.clip(rounded, 1, len(WEIGHTS) - 1)
        tables.append(levels)
    return min(tables, key=lambda levels: float(counts[seen] @ _bits(levels[seen], levels)))


def starts_from_levels(levels: NDArray[np.uint8]) -> list[int]:
    """Return the first slot of each symbol, then 2³²; at least one level must not be 0."""
    weights = np.array(WEIGHTS, np.uint64)[levels]
    below = np.concatenate((np.zeros(1, np.uint64), np.cumsum(weights)))
    return [int(start) for start in (below << np.uint64(PRECISION)) // below[-1]]


def uniform_starts(bits: int) -> list[int]:
    """Return the first slot of each symbol for equal numbers of slots, then 2³²."""
    return [i << (PRECISION - bits) for i in range(2**bits + 1)]


def pack_levels(tables: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return the levels packed two to a byte, the first one in the low half."""
    levels = np.concatenate(tables)
    return (levels[0::2] | levels[1::2] << 4).astype(np.uint8).tobytes()


def unpack_levels(data: bytes, widths: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Return the tables of fields of these widths; `data` must have exactly their bytes."""
    packed = np.frombuffer(data, np.uint8)
    levels = np.stack((packed & 15, packed >> 4), axis=1).ravel()
    return np.split(levels, np.cumsum([2**bits for bits in widths])[:-1])


def entropies(indices: Indices, widths: Sequence[int]) -> NDArray[np.float64]:
    """Return the empirical entropy of each column of (N, F) indices, in bits a Gaussian, (F,).

    No static code of single fields takes fewer bits, even without its tables.
    """
    result = []
    for field, bits in zip(indices.T, widths, strict=True):
        share = np.bincount(field, minlength=2**bits) / len(field)
        share = share[share > 0]
        result.append(-float(share @ np.log2(share)))
    return np.array(result)


def _bits(symbols: NDArray[np.uint8], levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the bits that each symbol takes, given its level and the levels of the table."""
    weights = np.array(WEIGHTS, np.float64)
    result: NDArray[np.float64] = np.log2(weights[levels].sum() / weights[symbols])
    return result
