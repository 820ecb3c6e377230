"""A plan as machines and people see it: complete, translated, and a drawing that is one."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from api.plan_texts import Plan, count_text, plan_json, plan_lines, size_text, spans_text
from api.texts import speaking
from api.timeline_svg import timeline_svg
from archive_core.forecasting import Speed
from policies import current_algorithms
from policies.forecast import forecast
from policies.forecast_values import Assumptions, Forecast
from tests.unit.policies.renewal_cases import POLICY, chain, instant, table_with_end, token

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</title><script>alert("x")</script>'


def plan(*, lapsed: bool = False, speed: float | None = 1e8) -> Forecast:
    good = chain(other_digests=frozenset({"sha3-384"}))
    lost = chain(token(signer_until=instant("2030-01-01")), batch=2, line="other")
    return forecast(
        [good, lost] if lapsed else [good],
        {1: 5 * 10**9},
        table=table_with_end("sha512", "2045-01-01"),
        policy=POLICY,
        assumptions=Assumptions(bytes_per_second=speed),
        at=instant("2030-06-01"),
        until=instant("2060-01-01"),
    )


def elements(found: Forecast, name: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(timeline_svg(found)).iter(f"{SVG}{name}"))


# -- JSON -----------------------------------------------------------------------------------------


def test_the_document_holds_every_renewal_with_its_reason_and_units() -> None:
    """And is JSON through and through."""
    found = plan(lapsed=True)
    document = json.loads(json.dumps(plan_json(Plan(found))))

    assert len(document["renewals"]) == len(found.renewals) > 5
    moved = next(one for one in document["renewals"] if one["kind"] == "hash-tree")
    assert (moved["bytes_to_read"], moved["hours"]) == (5 * 10**9, 0.014)
    assert (moved["reason"], moved["tsa_calls"], moved["batch_numbers"]) == ("tree-digest-ends", 1, [[1, 1]])
    assert [problem["obstacle"] for problem in document["problems"]] == ["too-late"]
    assert document["totals"]["tsa_calls"] == len(found.renewals)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Plan(plan(), given_speed=True), "given"),
        (Plan(plan(), Speed(10**8, 1.0, 3)), "measured"),
        (Plan(plan(speed=None), Speed(10, 1.0, 1)), "unknown"),
    ],
)
def test_where_the_speed_comes_from_is_said(made: Plan, said: str) -> None:
    """Given, measured or unknown: hours rest on it."""
    document = plan_json(made)

    assert document["assumptions"]["speed"] == said
    assert (document["totals"]["hours"] is None) is (said == "unknown")


def test_too_little_content_measures_nothing() -> None:
    """A few bytes say nothing of a holding."""
    assert Speed(1000, 0.1, 1).bytes_per_second is None
    assert Speed(2 * 10**8, 2.0, 1).bytes_per_second == 1e8


# -- words ----------------------------------------------------------------------------------------


def test_people_read_what_is_due_and_what_is_supposed() -> None:
    """One row a renewal, problems by name, totals, assumptions."""
    found = plan(lapsed=True)
    lines = list(plan_lines(Plan(found, given_speed=True)))

    assert sum(line[:4].isdecimal() for line in lines) == len(found.renewals)
    assert any(line.startswith("PROBLEM from 2030-06-01") for line in lines)
    assert any("5.0 GB" in line for line in lines)
    assert any(line.startswith("Assumed:") for line in lines)
    assert lines[-1] == "Speed, as given: 100 MB/s"


def test_the_plan_speaks_czech_throughout() -> None:
    """Reasons too, though they come from the policies."""
    with speaking("cs"):
        said = "\n".join(plan_lines(Plan(plan(lapsed=True), given_speed=True)))
        drawn = timeline_svg(plan(lapsed=True)).decode()

    for czech in ("obnova razítkem", "certifikát jednotky", "POTÍŽ", "Předpoklady", "hašovací strom"):
        assert czech in said
    for english in ("renewal", "certificate", "assumed", "batches"):
        assert english not in said
        assert english not in drawn


def test_nothing_to_do_and_nothing_evidenced_are_two_answers() -> None:
    """An empty plan over a full archive is not an empty archive."""
    full = replace(plan(), renewals=())
    empty = replace(full, chains=0)

    assert "Nothing falls due until then." in list(plan_lines(Plan(full)))
    assert "Nothing is evidenced yet." in list(plan_lines(Plan(empty)))


def test_a_plan_that_is_cut_off_says_so() -> None:
    """Silence would look like safety."""
    assert any("cut off" in line for line in plan_lines(Plan(replace(plan(), is_cut_off=True))))


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5 * 10**9, "5.0 GB"), (10**16, "10.0 PB")]
)
def test_sizes_are_in_the_unit_that_fits(size: int, said: str) -> None:
    """Powers of ten, as disks are sold."""
    assert size_text(size) == said


def test_counts_and_spans_are_readable() -> None:
    """Thousands apart; many spans are shortened."""
    assert count_text(1234567) == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567"
    assert spans_text(((1, 40), (42, 42))) == "1-40, 42"
    assert spans_text(((1, 1), (3, 3), (5, 5), (7, 7))) == "1, 3, 5 …"


# -- the drawing ----------------------------------------------------------------------------------


def test_each_renewal_is_one_mark_known_ones_filled() -> None:
    """Circles for time-stamps, squares for trees; hollow where it is supposed."""
    found = plan()
    explained = [title for title in elements(found, "title") if "renewal (" in (title.text or "")]
    circles = [circle.get("fill") for circle in elements(found, "circle")]

    assert len(explained) == len(found.renewals)
    stamped = sum(one.kind == "timestamp" for one in found.renewals)
    assert len(circles) == stamped + 2  # two more in the legend
    assert circles.count("#ffffff") == sum(not one.known for one in found.renewals if one.kind == "timestamp") + 1


def test_marks_lie_in_the_order_of_time_and_inside_the_drawing() -> None:
    """Left to right."""
    found = plan()
    places = [float(circle.get("cx", "0")) for circle in elements(found, "circle")][: len(found.renewals) - 1]

    assert places == sorted(places)
    assert all(170 <= place <= 1170 for place in places)


def test_a_problem_is_drawn_as_a_cross_with_its_reason() -> None:
    """And the legend explains it."""
    drawn = timeline_svg(plan(lapsed=True)).decode()

    assert "would leave a gap" in drawn
    assert "not possible as things are" in drawn
    assert "not possible as things are" not in timeline_svg(plan()).decode()


def test_no_text_of_the_archive_becomes_markup() -> None:
    """Names of lines and authorities come from settings; they stay text."""
    found = plan()
    hostile = replace(found, renewals=tuple(replace(one, line=HOSTILE, tsa=HOSTILE) for one in found.renewals))

    assert elements(hostile, "script") == []
    assert any(HOSTILE in (said.text or "") for said in elements(hostile, "text"))


def test_an_empty_plan_is_still_a_drawing() -> None:
    """With a sentence instead of marks."""
    table = current_algorithms()
    found = forecast(
        [],
        {},
        table=table,
        policy=POLICY,
        assumptions=Assumptions(),
        at=instant("2030-01-01"),
        until=instant("2030-06-01"),
    )

    assert any("Nothing falls due" in (said.text or "") for said in elements(found, "text"))


def test_the_drawing_stands_by_itself() -> None:
    """Nothing is fetched and nothing runs."""
    drawn = timeline_svg(plan()).decode()

    for word in ("href", "<script", "@import", "url(", "<image", "<style"):
        assert word not in drawn
