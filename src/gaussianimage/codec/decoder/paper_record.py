"""Decoding a file of the paper's profile to its record."""

from gaussianimage.codec.decoder.file import DEFAULT_LIMITS, ParsedFile, layer_count, parse_file
from gaussianimage.codec.format.header import Limits
from gaussianimage.codec.format.varint import Buffer
from gaussianimage.codec.paper_profile.chunks import PaperContent
from gaussianimage.codec.paper_profile.record import PaperRecord
from gaussianimage.errors import FormatError


def decode_record(data: Buffer, *, limits: Limits = DEFAULT_LIMITS) -> PaperRecord:
    """Read the record that `gaussianimage.codec.paper_profile.file.encode_record` wrote.

    Parameters
    ----------
    data : bytes-like
        The whole file.
    limits : Limits, optional
        Limits above which a file is refused.

    Returns
    -------
    PaperRecord
        The record, equal to the written one bit for bit. A stream that codes a set gives sorted
        Gaussians.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `gaussianimage.decode`; a FormatError also for a file that is not of this profile.
    """
    return read_record(parse_file(data, limits=limits))


def read_record(file: ParsedFile, *, layers: int | None = None) -> PaperRecord:
    """Decode the record of a parsed file.

    Parameters
    ----------
    file : ParsedFile
        A file of the paper's profile.
    layers : int, optional
        Number of layers to use, 0 or 1; with 0 the record is empty.

    Raises
    ------
    FormatError
        The file is not of the paper's profile, its Gaussians do not decode, or the file was cut
        before them.
    ValueError
        `layers` is negative or above the file's number of layers.
    """
    content = file.content
    if not isinstance(content, PaperContent):
        raise FormatError("the file is not of the paper's profile: it has layers", 0)
    if layer_count(file, layers) == 0:
        return content.record(file.header, layers=0)
    return content.record(file.header)
