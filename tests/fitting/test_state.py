import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaussianimage import _native
from gaussianimage.errors import FormatError, GaussianImageError, UnsupportedError
from gaussianimage.fitting.state import MAX_FITTED_GAUSSIANS, MAX_ITERATIONS, FitState

ARRAYS = ("means", "cholesky", "colors", "first", "second", "age", "trainable")
NUMBERS = ("iteration", "iterations", "target", "seed", "height", "width", "q_max", "energy")


def some_state(count: int = 6, channels: int = 3, **changes: Any) -> FitState:
    rng = np.random.default_rng(count + channels)
    state = FitState(
        means=rng.uniform(0, 20, (count, 2)),
        cholesky=rng.uniform(0.5, 3, (count, 3)),
        colors=rng.normal(size=(count, channels)).astype(np.float32),
        first=rng.normal(size=(count, 5 + channels)).astype(np.float32),
        second=rng.uniform(size=(count, 5 + channels)).astype(np.float32),
        age=rng.integers(0, 100, count).astype(np.uint32),
        trainable=rng.integers(0, 8, count).astype(np.uint8),
        iteration=30,
        iterations=100,
        target=50,
        seed=2**62 + 1,
        height=20,
        width=24,
        q_max=4.3,
        energy=0.1,
    )
    return dataclasses.replace(state, **changes)


def assert_equal(found: FitState, expected: FitState) -> None:
    for name in ARRAYS:
        a, b = getattr(found, name), getattr(expected, name)
        assert a.dtype == b.dtype, name
        assert np.array_equal(a, b), name
    for name in NUMBERS:
        assert getattr(found, name) == getattr(expected, name), name


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 6])
def test_a_saved_state_comes_back(tmp_path: Path, count: int, channels: int) -> None:
    state = some_state(count, channels)
    path = tmp_path / "fit.state"
    state.save(path)
    assert_equal(FitState.load(path), state)
    assert state.channels == channels


def test_saving_is_deterministic(tmp_path: Path) -> None:
    for name in ("a", "b"):
        some_state().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_state_shows_its_gaussians() -> None:
    state = some_state()
    gaussians = state.gaussians
    assert (gaussians.height, gaussians.width, gaussians.q_max) == (20, 24, 4.3)
    assert np.array_equal(gaussians.means, state.means)
    assert np.array_equal(gaussians.colors, state.colors)
    assert gaussians.cholesky() == pytest.approx(state.cholesky)


def test_restoring_gives_an_optimizer_everything_back() -> None:
    state = some_state()
    optimizer = _native.Optimizer(np.zeros((20, 24, 3), np.float32), 4.5, 1)
    state.restore(optimizer)
    for name in ARRAYS:
        assert np.array_equal(getattr(optimizer, name), getattr(state, name)), name


@pytest.mark.parametrize(
    "changes",
    [
        {"iteration": 101},
        {"iteration": -1},
        {"iteration": MAX_ITERATIONS + 1, "iterations": MAX_ITERATIONS + 2},
        {"iterations": 10**400},
        {"target": 5},
        {"target": MAX_FITTED_GAUSSIANS + 1},
        {"target": -1},
        {"seed": -1},
        {"seed": 2**63},
        {"height": 0},
        {"width": 65537},
        {"q_max": 0.0},
        {"q_max": float("nan")},
        {"q_max": 65.0},
        {"energy": -0.1},
        {"energy": float("inf")},
        {"energy": float("nan")},
        {"target": 3.5},
        {"height": "x"},
    ],
    ids=str,
)
def test_impossible_numbers_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "fit.state"
    some_state(**changes).save(path)
    with pytest.raises(FormatError, match=r"fit\.state"):
        FitState.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"colors": np.zeros((6, 5), np.float32)},
        {"colors": np.zeros(6, np.float32), "first": np.zeros((6, 6), np.float32)},
        {"means": np.zeros((5, 2))},
        {"means": np.zeros((6, 3))},
        {"means": np.zeros((6, 2), np.float32)},
        {"second": np.zeros((6, 7), np.float32)},
        {"age": np.zeros(6, np.int32)},
        {"trainable": np.zeros((6, 1), np.uint8)},
    ],
    ids=lambda changes: " ".join(f"{k} {v.shape} {v.dtype}" for k, v in changes.items()),
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    from gaussianimage._util.safetensors import save_tensors
    from gaussianimage.fitting import state as module

    state = some_state()
    arrays = {name: getattr(state, name) for name in ARRAYS} | changes
    numbers = {name: str(getattr(state, name)) for name in NUMBERS}
    path = tmp_path / "fit.state"
    save_tensors(path, module._KIND, module._VERSION, arrays, numbers)
    with pytest.raises(FormatError, match="expected"):
        FitState.load(path)


def test_a_state_without_gaussians_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.state"
    some_state(0).save(path)
    with pytest.raises(FormatError, match="0 of 50 Gaussians"):
        FitState.load(path)


def test_a_newer_state_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit.state"
    with monkeypatch.context() as patch:
        patch.setattr("gaussianimage.fitting.state._VERSION", 2)
        some_state().save(path)
    with pytest.raises(UnsupportedError, match="version 2"):
        FitState.load(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FitState.load(tmp_path / "nowhere")


def test_gaussians_are_not_a_state(tmp_path: Path) -> None:
    path = tmp_path / "gaussians"
    some_state().gaussians.save(path)
    with pytest.raises(FormatError, match="kind"):
        FitState.load(path)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.state"
    some_state(1, 1).save(path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError):
            FitState.load(path)


def test_a_changed_byte_is_refused_or_gives_another_state(tmp_path: Path) -> None:
    path = tmp_path / "fit.state"
    some_state(1, 1).save(path)
    data = path.read_bytes()
    refused = 0
    for place in range(len(data)):
        for value in {0x22, data[place] ^ 1, data[place] ^ 0x80} - {data[place]}:
            bad = bytearray(data)
            bad[place] = value
            path.write_bytes(bad)
            try:
                assert isinstance(FitState.load(path), FitState)
            except GaussianImageError:
                refused += 1
    assert refused > 1000


def test_the_repr_is_short() -> None:
    assert repr(some_state(2000, 3)).startswith("FitState(2000 Gaussians of 3 channels, iteration=")
    assert len(repr(some_state(2000, 3))) < 200
