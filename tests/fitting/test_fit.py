import itertools
import math
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gaussianimage import metrics, rendering
from gaussianimage.errors import PictureError
from gaussianimage.fitting.fit import MAX_FITTED_GAUSSIANS, fit, fit_picture
from gaussianimage.fitting.loop import FitResult
from gaussianimage.fitting.progress import Progress
from gaussianimage.fitting.state import FitState
from gaussianimage.gaussians import Gaussians
from gaussianimage.picture import Picture, as_picture

DATA = Path(__file__).parents[1] / "data"
PARROT = as_picture(DATA / "parrot.png")


def same(a: Gaussians, b: Gaussians) -> bool:
    return a == b


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def assert_usable(result: FitResult, picture: Picture) -> None:
    """Check that all numbers are finite and that the PSNR is that of the drawn Gaussians."""
    gaussians = result.gaussians
    assert (gaussians.height, gaussians.width) == (picture.height, picture.width)
    assert gaussians.channels == picture.channels
    assert gaussians.drawable().all()
    actual = metrics.psnr(picture.pixels, rendering.render(gaussians))
    if result.psnr < 70:
        assert result.psnr == pytest.approx(actual, abs=0.01)
    else:
        assert actual > 70


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second pass between any two looks at the clock, so that every chunk is reported."""
    clock = itertools.count()
    fake = SimpleNamespace(perf_counter=lambda: float(next(clock)))
    monkeypatch.setattr("gaussianimage.fitting.loop.time", fake)


# How well -----------------------------------------------------------------------------------


# Bounds on both sides: a result that is much better is as suspicious as a worse one.
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("plane", 44.0, 49.0), ("parrot", 33.5, 37.5), ("bikes", 36.0, 41.0), ("stream", 29.5, 33.0)],
)
def test_photos_reach_a_sensible_psnr(name: str, low: float, high: float) -> None:
    picture = as_picture(DATA / f"{name}.png")
    result = fit(picture, 400, iterations=300)
    assert low < result.psnr < high
    assert len(result.gaussians) == 400
    assert result.iterations == 300
    assert result.seconds > 0
    assert not result.interrupted
    assert_usable(result, picture)


def test_more_gaussians_and_more_iterations_are_better() -> None:
    few, more, longer = (
        fit(PARROT, count, iterations=iterations).psnr
        for count, iterations in ((60, 100), (240, 100), (240, 400))
    )
    assert few + 2 < more < longer - 0.5


def ended(pixels: np.ndarray, count: int, least: float) -> FitResult:
    """Fit with Adam alone, as encoders do, to the least amplitude that is worth its bits."""
    return fit_picture(
        as_picture(pixels), count, newton=False, solve=False, least=least, iterations=100
    )


def test_a_dense_fit_ends_once_it_has_what_is_worth_its_bits() -> None:
    generator = np.random.default_rng(5)
    bars = np.zeros((96, 96, 3), np.float32)
    for row in range(0, 96, 12):
        bars[row : row + 6] = generator.uniform(size=3)
    whole, early = ended(bars, 2300, 0.0), ended(bars, 2300, 0.3)
    assert whole.iterations == 100
    assert 20 < early.iterations < 80
    assert len(early.gaussians) < len(whole.gaussians)
    # What is left of the error is less than what the weakest Gaussians would have.
    left = 10 ** (-early.psnr / 10) * bars.size
    assert left < 0.3 * len(early.gaussians) * 0.3**2


def test_a_fit_that_is_not_dense_or_not_done_takes_all_iterations() -> None:
    few = ended(PARROT.pixels, 100, 10.0)  # however small the error is beside it
    noisy = ended(noise(64, 64), 1000, 0.01)
    assert few.iterations == noisy.iterations == 100
    assert same(few.gaussians, ended(PARROT.pixels, 100, 0.0).gaussians)
    assert same(noisy.gaussians, ended(noise(64, 64), 1000, 0.0).gaussians)


def test_the_colors_are_solved_at_the_end() -> None:
    result = fit(PARROT, 100, iterations=50)
    before = metrics.psnr(PARROT.pixels, rendering.render(result.state.gaussians))
    assert before < result.psnr
    assert np.array_equal(result.gaussians.means, result.state.means)


def test_solving_for_the_colors_does_no_harm_to_a_gaussian_far_larger_than_the_picture() -> None:
    pixels = np.full((20, 30, 3), 128, np.uint8)
    state = fit(pixels, 2, iterations=0).state
    whole = FitState(
        **vars(state)
        | {
            "cholesky": np.array([[1e4, 0, 1e4], [1e5, 0, 1e5]]),
            "colors": np.array([[0.25] * 3, [128 / 255 - 0.25] * 3], np.float32),
            "means": np.full((2, 2), 10.0),
        }
    )
    assert fit(pixels, resume=whole).psnr > 60


def test_a_penalty_on_energy_lowers_it() -> None:
    def energy(result: FitResult) -> float:
        l11, _, l22 = result.state.cholesky[1:].T
        return float(np.sum(np.sum(result.state.colors[1:] ** 2.0, axis=1) * np.pi * l11 * l22))

    plain, penalized = (fit(PARROT, 200, iterations=100, energy=e) for e in (0.0, 0.05))
    assert energy(penalized) < 0.9 * energy(plain)
    assert penalized.state.energy == 0.05


# The same every time ------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads: int) -> None:
    one = fit(PARROT, 300, iterations=60, threads=1)
    more = fit(PARROT, 300, iterations=60, threads=threads)
    assert same(one.gaussians, more.gaussians)
    assert one.psnr == more.psnr


def test_a_seed_gives_the_same_fit_and_another_seed_another() -> None:
    first, again, other = (fit(PARROT, 100, iterations=30, seed=s) for s in (7, 7, 8))
    assert same(first.gaussians, again.gaussians)
    assert not same(first.gaussians, other.gaussians)
    assert abs(first.psnr - other.psnr) < 1.5


def test_watching_changes_no_bit(ticking: None) -> None:
    watched = fit(PARROT, 100, iterations=40, progress=lambda _: None, on_step=lambda _: None)
    assert same(watched.gaussians, fit(PARROT, 100, iterations=40).gaussians)


# All kinds of pictures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 2), (2, 1), (1, 77), (77, 1), (7, 9), (8, 8), (33, 17), (3, 2000), (2000, 3)],
)
def test_pictures_of_any_size_can_be_fitted(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    result = fit(pixels, 50, iterations=60)
    assert len(result.gaussians) == min(50, size[0] * size[1])
    assert_usable(result, as_picture(pixels))
    # Better than the best single color.
    assert result.psnr >= -10 * math.log10(max(np.var(pixels / 255, axis=(0, 1)).mean(), 1e-12))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_number_of_channels_is_fitted(channels: int) -> None:
    y, x = np.mgrid[0:24, 0:32]
    ramps = [x / 31, y / 23, np.hypot(x - 16, y - 12) / 20, 0.2 + 0.8 * (x > y)]
    if channels in (2, 4):
        ramps = [*ramps[: channels - 1], ramps[3]]
    picture = as_picture(np.stack(ramps[:channels], axis=2).astype(np.float32))
    result = fit(picture, 120, iterations=200)
    assert result.gaussians.channels == channels
    assert result.psnr > 24
    assert_usable(result, picture)


@pytest.mark.parametrize(
    "color", [0, 255, 119, (200, 100, 50), (200, 100, 50, 128), (255, 0, 0, 0), (90, 0)], ids=str
)
@pytest.mark.parametrize("size", [(1, 1), (16, 24)])
def test_constant_pictures_are_exact(color: Any, size: tuple[int, int]) -> None:
    pixels = np.full((*size, np.size(color)), color, np.uint8)
    picture = as_picture(pixels)
    result = fit(picture, 40, iterations=60)
    assert result.psnr > 70
    assert_usable(result, picture)


def test_a_picture_of_16_bits_is_fitted_as_such() -> None:
    pixels = (np.linspace(0, 65535, 48 * 32).reshape(32, 48)).astype(np.uint16)
    picture = as_picture(pixels)
    result = fit(picture, 60, iterations=200)
    assert result.psnr > 35
    assert_usable(result, picture)


def test_pure_noise_is_fitted_without_harm() -> None:
    pixels = noise(48, 48)
    result = fit(pixels, 500, iterations=100)
    assert 10 < result.psnr < 20
    assert_usable(result, as_picture(pixels))


@pytest.mark.parametrize("gaussians", [1500, 6144])
@pytest.mark.parametrize("iterations", [1, 5, 20, 60])
def test_a_fit_stays_stable_with_almost_as_many_gaussians_as_pixels(
    gaussians: int, iterations: int
) -> None:
    result = fit(DATA / "stream.png", gaussians, iterations=iterations)
    assert result.psnr > 22


def test_flat_pictures_with_a_single_point_are_fitted() -> None:
    pixels = np.zeros((50, 50), np.uint8)
    pixels[20, 30] = 255
    result = fit(pixels, 30, iterations=150)
    assert result.psnr > 45
    assert_usable(result, as_picture(pixels))


@pytest.mark.parametrize("gaussians", [1, 2, 3, 5000])
@pytest.mark.parametrize("iterations", [0, 1, 2, 30])
def test_any_number_of_gaussians_goes_with_any_number_of_iterations(
    gaussians: int, iterations: int
) -> None:
    picture = as_picture(PARROT.pixels[10:34, 10:40].copy())
    result = fit(picture, gaussians, iterations=iterations)
    assert len(result.gaussians) == min(gaussians, 24 * 30)
    assert result.iterations == iterations
    assert_usable(result, picture)


# What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_pixels_that_are_no_numbers_are_refused(value: float) -> None:
    pixels = np.zeros((8, 8, 3), np.float32)
    pixels[3, 4, 1] = value
    with pytest.raises(PictureError):
        fit(pixels, 10, iterations=1)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0, 3)])
def test_pictures_without_pixels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="0"):
        fit(np.zeros(shape, np.uint8), 10, iterations=1)


@pytest.mark.parametrize("shape", [(1, 65537), (65537, 1)])
def test_pictures_that_are_too_long_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match="65536"):
        fit(np.zeros(shape, np.uint8), 10, iterations=1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"gaussians": 0}, ValueError),
        ({"gaussians": -1}, ValueError),
        ({"gaussians": MAX_FITTED_GAUSSIANS + 1}, ValueError),
        ({"gaussians": 9.5}, TypeError),
        ({"gaussians": True}, TypeError),
        ({"gaussians": "many"}, TypeError),
        ({"iterations": -1}, ValueError),
        ({"iterations": 10**7 + 1}, ValueError),
        ({"iterations": 1.0}, TypeError),
        ({"seed": -1}, ValueError),
        ({"seed": 2**63}, ValueError),
        ({"seed": 0.5}, TypeError),
        ({"threads": 0}, ValueError),
        ({"threads": 257}, ValueError),
        ({"threads": 1.5}, TypeError),
        ({"q_max": 0}, ValueError),
        ({"q_max": 65}, ValueError),
        ({"q_max": math.nan}, ValueError),
        ({"q_max": "wide"}, TypeError),
        ({"energy": -0.1}, ValueError),
        ({"energy": math.inf}, ValueError),
        ({"energy": math.nan}, ValueError),
        ({"energy": "much"}, TypeError),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_named(options: dict[str, Any], error: type[Exception]) -> None:
    arguments = {"gaussians": 5, "iterations": 1} | options
    with pytest.raises(error, match=next(iter(options))):
        fit(PARROT, **arguments)


# Watching, stopping and going on -------------------------------------------------------------


def test_progress_tells_how_far_the_fit_is(ticking: None) -> None:
    told: list[Progress] = []
    result = fit(PARROT, 200, iterations=95, progress=told.append)
    assert [p.iteration for p in told] == sorted(p.iteration for p in told)
    assert [p.gaussians for p in told] == sorted(p.gaussians for p in told)
    assert len({p.iteration for p in told}) >= 10
    for progress in told:
        assert progress.stage == "fit"
        assert progress.iterations == 95
        assert progress.seconds > 0
        assert 0 <= progress.seconds_left < math.inf
        assert math.isfinite(progress.psnr)
    last = told[-1]
    assert (last.iteration, last.gaussians, last.psnr) == (95, 200, result.psnr)
    assert last.seconds_left == 0


@pytest.mark.parametrize("iterations", [0, 1])
def test_progress_is_told_once_at_the_end_even_of_a_short_fit(iterations: int) -> None:
    told: list[Progress] = []
    fit(PARROT, 20, iterations=iterations, progress=told.append)
    assert told
    assert told[-1].iteration == iterations
    assert told[-1].seconds_left == 0


def test_states_come_with_every_growth_and_at_the_end() -> None:
    states: list[FitState] = []
    result = fit(PARROT, 200, iterations=100, on_step=states.append)
    counts = [len(state.means) for state in states]
    assert counts == sorted(counts)
    assert len(counts) > 5
    assert [state.iteration for state in states] == sorted(state.iteration for state in states)
    assert states[-1].iteration == 100
    assert counts[-1] == 200
    assert same(states[-1].gaussians, result.state.gaussians)


def stop_after(calls: int) -> Any:
    """Return a callback that raises KeyboardInterrupt in one of its calls."""
    count = itertools.count(1)

    def callback(_: Any) -> None:
        if next(count) == calls:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("calls", [1, 4, 9])
@pytest.mark.usefixtures("ticking")
def test_an_interrupted_fit_keeps_what_it_has(calls: int) -> None:
    stop = stop_after(calls)
    result = fit(PARROT, 300, iterations=300, progress=stop, on_interrupt="keep")
    assert result.interrupted
    assert 0 < result.iterations < 300
    assert result.state.iteration == result.iterations
    assert len(result.gaussians) <= 300
    assert result.psnr > 14
    assert_usable(result, PARROT)


@pytest.mark.usefixtures("ticking")
def test_an_interrupted_fit_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = fit(PARROT, 200, iterations=120, seed=3, energy=0.01, q_max=5.0)
    options: dict[str, Any] = {"seed": 3, "energy": 0.01, "q_max": 5.0, "on_interrupt": "keep"}
    part = fit(PARROT, 200, iterations=120, progress=stop_after(5), **options)
    assert part.interrupted
    part.state.save(tmp_path / "state")
    rest = fit(PARROT, resume=FitState.load(tmp_path / "state"))
    assert same(rest.gaussians, whole.gaussians)
    assert rest.psnr == whole.psnr
    assert rest.iterations == 120
    assert not rest.interrupted


def test_a_fit_goes_on_from_every_state_to_the_same_end() -> None:
    states: list[FitState] = []
    whole = fit(PARROT, 150, iterations=60, on_step=states.append)
    assert len(states) > 5
    for state in states:
        rest = fit(PARROT, resume=state, threads=1)
        assert same(rest.gaussians, whole.gaussians)
        assert rest.psnr == whole.psnr


def test_a_finished_state_has_nothing_left_to_do() -> None:
    whole = fit(PARROT, 50, iterations=20)
    told: list[Progress] = []
    again = fit(PARROT, resume=whole.state, progress=told.append)
    assert same(again.gaussians, whole.gaussians)
    assert told[-1].seconds_left == 0


def test_a_signal_in_the_middle_is_an_interrupt_like_any() -> None:
    states: list[FitState] = []

    def press(state: FitState) -> None:
        states.append(state)
        if state.iteration == 40 and states[-2].iteration < 40:
            signal.raise_signal(signal.SIGINT)

    result = fit(PARROT, 100, iterations=100, on_step=press, on_interrupt="keep")
    assert result.interrupted
    assert result.iterations == 40
    assert_usable(result, PARROT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("option", ["progress", "on_step"])
@pytest.mark.usefixtures("ticking")
def test_an_interrupt_is_raised_unless_told_otherwise(option: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(PARROT, 100, iterations=100, **{option: lambda _: signal.raise_signal(signal.SIGINT)})


def test_a_second_interrupt_is_raised_even_where_the_first_is_not() -> None:
    def press(state: FitState) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):  # the last state is told of after the first one
        fit(PARROT, 100, iterations=100, on_step=press, on_interrupt="keep")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("value", ["stop", "", None])
def test_interrupts_are_raised_or_kept_and_nothing_else(value: Any) -> None:
    with pytest.raises(ValueError, match="on_interrupt"):
        fit(PARROT, 10, iterations=1, on_interrupt=value)


@pytest.mark.usefixtures("ticking")
def test_an_interrupt_at_the_very_end_loses_nothing() -> None:
    whole = fit(PARROT, 50, iterations=20)
    for option in ("progress", "on_step"):
        calls = itertools.count(1)
        fit(PARROT, 50, iterations=20, **{option: lambda _, calls=calls: next(calls)})
        stop = stop_after(next(calls) - 1)
        result = fit(PARROT, 50, iterations=20, on_interrupt="keep", **{option: stop})
        assert result.interrupted
        assert result.iterations == 20
        assert same(result.state.gaussians, whole.state.gaussians)
        assert result.psnr > 15


def test_other_errors_of_a_callback_pass_through() -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk"):
        fit(PARROT, 50, iterations=20, on_step=fail)


@pytest.mark.parametrize("shape", [(64, 95, 3), (65, 96, 3), (96, 64, 3), (64, 96, 4), (64, 96, 1)])
def test_a_state_of_another_picture_is_refused(shape: tuple[int, int, int]) -> None:
    state = fit(PARROT, 20, iterations=2).state
    with pytest.raises(ValueError, match="resume"):
        fit(noise(*shape), resume=state)


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="resume"):
        fit(PARROT, resume="state")  # type: ignore[arg-type]


def test_pixels_without_weight_do_not_count() -> None:
    pixels = np.zeros((32, 32, 1), np.float32)
    pixels[:, :16] = np.linspace(0, 1, 32)[:, None, None]
    pixels[:, 16:] = np.random.default_rng(0).uniform(size=(32, 16, 1))
    weights = np.ones_like(pixels)
    weights[:, 16:] = 0
    result = fit(Picture(pixels, weights=weights), 12, iterations=100)
    plain = fit(Picture(pixels), 12, iterations=100)
    error = {
        name: float(np.abs(rendering.render(found.gaussians) - pixels)[:, :16].mean())
        for name, found in (("weighted", result), ("plain", plain))
    }
    assert error["weighted"] < 0.5 * error["plain"]
    assert result.psnr > plain.psnr + 10
