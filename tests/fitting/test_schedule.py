import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.fitting.schedule import END_FRACTION, START_RATES, Schedule

plans = st.builds(Schedule, st.integers(0, 5000), st.integers(1, 20000))


@given(plans)
def test_growth_only_adds_and_reaches_the_number_in_time(plan: Schedule) -> None:
    steps = plan.renewal_steps()
    assert 1 <= plan.first <= plan.gaussians
    assert all(0 < step < plan.iterations for step in steps)
    counts = [plan.first, *(plan.target(step) for step in steps)]
    assert counts == sorted(counts)
    assert counts[-1] == plan.gaussians


def test_growth_has_a_tenth_to_start_with_and_ends_at_two_fifths() -> None:
    plan = Schedule(1000, 9000)
    assert plan.first == 900
    assert list(plan.renewal_steps()) == list(range(25, 751, 25))
    assert plan.target(24) == 900
    assert plan.target(25) == 900 + 8100 // 16
    assert plan.target(49) == plan.target(25)
    assert plan.target(399) < plan.target(400) == plan.target(999) == 9000


@pytest.mark.parametrize("iterations", [0, 1])
def test_without_time_to_grow_all_are_there_from_the_start(iterations: int) -> None:
    assert list(Schedule(iterations, 70).renewal_steps()) == []
    assert Schedule(iterations, 70).first == 70


def test_rates_fall_along_a_cosine() -> None:
    rates = Schedule(400, 100).rates(0, 400)
    assert rates.dtype == np.float32
    assert rates.shape == (400, 3)
    assert rates[0] == pytest.approx(START_RATES)
    assert rates[200] == pytest.approx(np.array(START_RATES) * (1 + END_FRACTION) / 2)
    assert rates[-1] == pytest.approx(np.array(START_RATES) * END_FRACTION, rel=0.01)
    assert (np.diff(rates, axis=0) < 0).all()


@given(st.integers(1, 300), st.integers(0, 300))
def test_rates_do_not_depend_on_how_the_iterations_are_cut(iterations: int, cut: int) -> None:
    plan = Schedule(iterations, 10)
    cut = min(cut, iterations)
    parts = [plan.rates(0, cut), plan.rates(cut, iterations)]
    assert np.array_equal(np.concatenate(parts), plan.rates(0, iterations))
