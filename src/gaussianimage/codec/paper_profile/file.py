"""Writing a record as the bytes of a `.gimg` file."""

import numpy as np

from gaussianimage import _native
from gaussianimage._util.arguments import thread_count
from gaussianimage.codec.format.container import write_chunks
from gaussianimage.codec.format.header import Header
from gaussianimage.codec.format.metadata import Metadata
from gaussianimage.codec.paper_profile.chunks import write_content
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.codec.paper_profile.stream import STREAMS
from gaussianimage.gaussians import Gaussians

__all__ = ["STREAMS", "encode_record", "measure_work"]

_NOTHING = Metadata()


def encode_record(
    record: PaperRecord,
    *,
    stream: str = "plain",
    metadata: Metadata = _NOTHING,
    bit_depth: int = 8,
) -> bytes:
    """Write a record as a ``.gimg`` file, which `gaussianimage.decode` reads.

    Parameters
    ----------
    record : PaperRecord
        Record of N Gaussians.
    stream : str, default "plain"
        Coding of the Gaussians:

        - "plain": every index at its full width, as the paper counts its bits;
        - "entropy": indices by their frequencies, positions at full width;
        - "bits-back": as a set, by the paper's partial bits-back coding;
        - "interleaved": as a set, each Gaussian coded when it is drawn, which saves more;
        - "entropy-bits-back", "entropy-interleaved": as a set, with indices by their frequencies.

        Only "plain" and "entropy" keep the order. Only "plain" can hold more than 2¹⁸ Gaussians.
    metadata : Metadata, optional
        ICC profile, EXIF and XMP.
    bit_depth : int, default 8
        Bits per sample of the source, 8 or 16.

    Returns
    -------
    bytes
        The file.

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
        work=measure_work(record.gaussians()),
    )
    return write_chunks([header.to_chunk(), *metadata.to_chunks(), *write_content(record, stream)])


def measure_work(
    gaussians: Gaussians,
    threads: int | None = None,
    *,
    crop: tuple[int, int, int, int] | None = None,
) -> int:
    """Measure the cost of drawing Gaussians, or a crop of the picture, in the header's unit.

    Parameters
    ----------
    gaussians : Gaussians
        The Gaussians to draw.
    threads : int, optional
        Threads to use, 1 to 256; all CPUs that this process may run on by default.
    crop : (int, int, int, int), optional
        Top, left, height and width of the part to draw in pixels; the whole picture by default.

    Returns
    -------
    int
        `gaussianimage.codec.format.header.Header.work` of a file with these Gaussians.
    """
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
