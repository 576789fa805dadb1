"""The time of the import and the memory of a decode, in processes of their own."""

from lib.footprint import BARE, DECODER, IMPORT, import_times, peak_memory
from samples import sample


def test_imports_are_timed():
    found = import_times(1)
    assert set(found) == {BARE, IMPORT, DECODER}
    assert all(timing.median > 0 for timing in found.values())


def test_memory_is_that_beyond_numpy(tmp_path):
    path = tmp_path / "x.gimg"
    path.write_bytes(sample())
    found = peak_memory(path, [1, 2])
    if found is not None:
        assert set(found) == {"1", "2"}
        assert all(100_000 < peak < 200_000_000 for peak in found.values())
