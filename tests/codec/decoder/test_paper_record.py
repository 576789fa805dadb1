"""Records of files of the profile: whole, without Gaussians, cut short, and of a file of layers."""

import pytest
from paper_samples import paper_record
from samples import sample

from gaussianimage.codec.decoder.file import parse_file
from gaussianimage.codec.decoder.paper_record import decode_record, read_record
from gaussianimage.codec.paper_profile.file import encode_record
from gaussianimage.errors import FormatError, TruncatedError

RECORD = paper_record(7)
DATA = encode_record(RECORD)


def test_a_record_comes_back() -> None:
    assert decode_record(DATA) == RECORD


@pytest.mark.parametrize(("layers", "count"), [(None, 7), (1, 7), (0, 0)])
def test_no_layers_are_no_gaussians(layers: int | None, count: int) -> None:
    record = read_record(parse_file(DATA), layers=layers)
    assert len(record) == count
    assert record.side_information() == RECORD.side_information()


def test_more_layers_than_there_are_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="layers: expected 0 to 1, got 2"):
        read_record(parse_file(DATA), layers=2)


def test_a_file_that_is_cut_before_its_gaussians_has_only_its_quantizers() -> None:
    file = parse_file(DATA[:-30], partial=True)
    assert len(read_record(file, layers=0)) == 0
    with pytest.raises(TruncatedError):
        read_record(file)


def test_a_file_of_layers_has_no_record() -> None:
    with pytest.raises(FormatError, match="it has layers"):
        decode_record(sample())
