"""A clock that is wrong is found out before anything is renewed by it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.clock_sanity import ClockLimits, ClockState, judge_clock
from tests.unit.policies.renewal_cases import DAY, NOW, YEAR

MINUTE = timedelta(minutes=1)


def test_a_clock_near_the_newest_time_stamp_is_good() -> None:
    """Yesterday's batch, today's clock."""
    assert judge_clock(NOW, last_known=NOW - DAY).good


def test_a_machine_that_was_off_for_a_month_is_believed() -> None:
    """What was missed is caught up."""
    assert judge_clock(NOW, last_known=NOW - 31 * DAY).good


def test_an_archive_without_time_stamps_has_nothing_to_compare() -> None:
    """The first day."""
    assert judge_clock(NOW, last_known=None).good


@pytest.mark.parametrize("back", [6 * MINUTE, DAY, 10 * YEAR])
def test_a_clock_behind_what_others_signed_is_refused(back: timedelta) -> None:
    """Set back by a day: the archive holds younger time-stamps."""
    found = judge_clock(NOW - back, last_known=NOW)

    assert (found.state, found.good) == (ClockState.BEHIND, False)
    assert "set the clock" in found.message


@pytest.mark.parametrize("ahead", [731 * DAY, 10 * YEAR])
def test_a_clock_far_ahead_is_refused_until_a_time_stamp_confirms_it(ahead: timedelta) -> None:
    """Ten years ahead, everything would be due; a fresh time-stamp decides."""
    assert judge_clock(NOW + ahead, last_known=NOW).state is ClockState.AHEAD
    assert judge_clock(NOW + ahead, last_known=NOW, fresh=NOW + ahead).good


@pytest.mark.parametrize("apart", [6 * MINUTE, DAY, 10 * YEAR, -6 * MINUTE, -DAY])
def test_an_authority_that_disagrees_stops_everything(apart: timedelta) -> None:
    """One of the two is wrong, and nothing tells which."""
    found = judge_clock(NOW, last_known=NOW - DAY, fresh=NOW + apart)

    assert found.state is ClockState.DISAGREES
    assert "nothing is renewed" in found.message


def test_a_fresh_time_stamp_does_not_excuse_a_clock_that_is_behind() -> None:
    """Authority and machine may both be wrong: older evidence says so."""
    assert judge_clock(NOW - DAY, last_known=NOW, fresh=NOW - DAY).state is ClockState.BEHIND


def test_limits_that_limit_nothing_are_refused() -> None:
    """The silence is longer than the tolerance."""
    with pytest.raises(ValueError, match="silence"):
        ClockLimits(tolerance=DAY, silence=DAY)


def test_an_instant_without_a_time_zone_is_misuse() -> None:
    """It would be compared with somebody else's time."""
    with pytest.raises(TypeError):
        judge_clock(datetime(2030, 1, 1), last_known=NOW)  # noqa: DTZ001


@given(st.timedeltas(-20 * YEAR, 20 * YEAR))
def test_exactly_the_clocks_between_floor_and_silence_are_good(apart: timedelta) -> None:
    """One interval, closed at both ends."""
    limits = ClockLimits()

    assert judge_clock(NOW + apart, last_known=NOW).good is (-limits.tolerance <= apart <= limits.silence)
