import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussianimage.fitting.schedule import END_FRACTION, NEWTON_RATES, START_RATES, Schedule

plans = st.builds(Schedule, st.integers(0, 5000), st.integers(1, 20000), st.booleans())


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
    assert list(plan.renewal_steps()) == list(range(25, 801, 25))
    assert plan.target(24) == 900
    assert plan.target(25) == 900 + 8100 // 16
    assert plan.target(49) == plan.target(25)
    assert plan.target(399) < plan.target(400) == plan.target(999) == 9000


def test_renewals_replace_fewer_and_fewer_where_newton_steps_follow() -> None:
    plan = Schedule(1000, 9000)
    parts = [plan.replaced(step) for step in plan.renewal_steps()]
    assert (np.diff(parts) < 0).all()
    assert parts[-1] == pytest.approx(0.06)
    assert 0.06 < parts[0] < 0.2


def test_an_encoder_has_iterations_of_adam_alone() -> None:
    plan = Schedule(1000, 9000, newton=False)
    assert plan.newton_from == 1000
    assert plan.overlap_steps() == set()
    assert list(plan.renewal_steps()) == list(range(25, 751, 25))
    assert {plan.replaced(step) for step in plan.renewal_steps()} == {0.03}


@given(plans)
def test_overlaps_are_known_before_every_newton_step_and_after_every_renewal(
    plan: Schedule,
) -> None:
    measured, begin = plan.overlap_steps(), plan.newton_from
    assert begin in measured or begin == plan.iterations
    assert all(begin <= step < plan.iterations for step in measured)
    assert measured >= {step for step in plan.renewal_steps() if step >= begin}
    gaps = np.diff([*sorted(measured), plan.iterations])
    assert gaps.max(initial=0) <= 25


def test_newton_steps_begin_at_two_fifths_with_a_renewal() -> None:
    assert Schedule(1000, 9000).newton_from == 400
    assert Schedule(1010, 9000).newton_from == 425
    assert Schedule(1, 9000).newton_from == 0
    rates = Schedule(1000, 9000).newton_rates(400, 1000)
    assert rates.dtype == np.float32
    assert rates[0] == NEWTON_RATES[0]
    assert rates[-1] == pytest.approx(NEWTON_RATES[1], abs=1e-3)
    assert np.array_equal(rates[30:40], Schedule(1000, 9000).newton_rates(430, 440))


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
