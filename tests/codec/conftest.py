"""The instruction sets, for the tests of golden files."""

from collections.abc import Iterator

import pytest

from gaussianimage import _native


@pytest.fixture(params=("baseline", "avx2", "avx512"))
def _instruction_set(request: pytest.FixtureRequest) -> Iterator[None]:
    """Select an instruction set, and the best one again afterwards."""
    if not _native.select_instruction_set(request.param):
        pytest.skip(f"this CPU has no {request.param}")
    yield
    _native.select_instruction_set("")
