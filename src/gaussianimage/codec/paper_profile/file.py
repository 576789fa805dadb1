"""From a record to the bytes of a `.gimg` file and back."""

from dataclasses import replace

import numpy as np

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, File, layer_count, open_file
from gaussianimage.codec.format.container import write_chunks
from gaussianimage.codec.format.header import Header, Limits
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.codec.paper_profile.chunks import write_profile
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.codec.paper_profile.stream import STREAMS
from gaussianimage.errors import FormatError
from gaussianimage.gaussians import Gaussians

__all__ = ["STREAMS", "decode_record", "encode_record", "record_of", "work_of"]

_NOTHING = Metadata()


def encode_record(
    record: PaperRecord,
    *,
    stream: str = "plain",
    metadata: Metadata = _NOTHING,
    bit_depth: int = 8,
) -> bytes:
    """Write a record as a file that `gaussianimage.decode` and all others open.

    Parameters
    ----------
    record : PaperRecord
        N Gaussians.
    stream : str, default "plain"
        How they are coded:

        - "plain": every index at its full width, as the paper counts its bits;
        - "entropy": indices by their frequencies, positions as they are;
        - "bits-back": as a set, by the paper's partial bits-back coding;
        - "interleaved": as a set, each Gaussian coded when it is drawn, which saves more;
        - "entropy-bits-back", "entropy-interleaved": both.

        All but the first two lose the order. Others than "plain" take 2²⁰ Gaussians at most.
    metadata : Metadata, optional
        ICC profile, EXIF and XMP.
    bit_depth : int, default 8
        Of the source, 8 or 16.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError, ValueError
        An argument is of a wrong type or out of range.
    """
    if not isinstance(record, PaperRecord):
        raise TypeError(f"record: expected PaperRecord, got {type(record).__name__}")
    if stream not in STREAMS:
        raise ValueError(f"stream: expected one of {', '.join(STREAMS)}, got {stream!r}")
    header = Header(
        height=record.height,
        width=record.width,
        channels=record.channels,
        bit_depth=bit_depth,
        gaussians=len(record),
        layers=min(len(record), 1),
        q_max=record.q_max,
        work=work_of(record.gaussians()),
    )
    return write_chunks([header.to_chunk(), *metadata.to_chunks(), *write_profile(record, stream)])


def decode_record(data: Buffer, *, limits: Limits = DEFAULT_LIMITS) -> PaperRecord:
    """Read what `encode_record` wrote: the same bits, sorted if the stream was one of a set.

    Parameters
    ----------
    data : bytes-like
        The whole file.
    limits : Limits, optional
        What to refuse to decode.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `gaussianimage.decode`; a FormatError for a file that is not of this profile.
    """
    return record_of(open_file(data, limits=limits))


def record_of(file: File, *, layers: int | None = None) -> PaperRecord:
    """Decode the record of a checked file.

    Parameters
    ----------
    file : File
        Of the paper's profile.
    layers : int, optional
        0 or 1; with 0 the record is empty.

    Raises
    ------
    FormatError
        It doesn't decode, or it was cut before the Gaussians: there is nothing to draw then.
    """
    profile = file.profile
    if profile is None:
        raise FormatError("the file is not of the paper's profile: it has layers", 0)
    if layer_count(file, layers) == 0:
        profile = replace(profile, gaussians=None)
    elif profile.gaussians is None and file.damage is not None:
        raise file.damage
    return profile.record(file.header)


def work_of(
    gaussians: Gaussians,
    threads: int | None = None,
    *,
    crop: tuple[int, int, int, int] | None = None,
) -> int:
    """Return what drawing Gaussians costs, as a header announces it; or drawing a crop."""
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite color draws nothing
        colors = np.ascontiguousarray(gaussians.colors, dtype=np.float32)
    return _native.work(
        gaussians.means,
        gaussians.cholesky(),
        colors,
        gaussians.q_max,
        gaussians.height,
        gaussians.width,
        crop,
        thread_count(threads),
    )
