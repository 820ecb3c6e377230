"""EU DSS and we say the same of the signatures in third-party files, or it is said why not."""

import json

import pytest

from tests.interop.signature_agreement import EXPLAINED, SUITES, TABLE, Case, cases, rows
from tests.vectors import suite

pytestmark = pytest.mark.interop
STRIDE = 12


def _checked(wanted: list[Case]) -> int:
    table = rows(wanted)
    assert len(table) == len(wanted) > 0
    assert not [row.case.name for row in table if row.called_good]
    assert not [row.case.name for row in table if row.ours.note.startswith("FAULT")]
    assert not [f"{row.case.name}: {row.dss} / {row.ours}" for row in table if not row.agrees and not row.explanation]
    return sum(row.agrees for row in table)


@pytest.mark.slow
def test_a_sample_of_all_files_is_judged_alike() -> None:
    """Every twelfth case of each format, and all that are explained."""
    wanted, _ = cases()
    explained = [case for case in wanted if any(case.id.endswith(end) for end in EXPLAINED)]
    sample = dict.fromkeys([*wanted[::STRIDE], *explained])
    assert _checked(list(sample)) >= len(sample) - len(explained)


@pytest.mark.soak
def test_all_files_are_judged_alike() -> None:
    """At least 98 of 100, and each exception explained."""
    wanted, _ = cases()
    assert _checked(wanted) >= 0.98 * len(wanted)


def test_the_table_names_every_case_and_explains_every_difference() -> None:
    """The table in the repository is of these vectors, and nothing in it is left unexplained."""
    text = TABLE.read_text(encoding="utf-8")
    assert "NOT EXPLAINED" not in text
    assert "DSS does not call good: 0." in text
    for name in SUITES:
        for case in json.loads((suite(name) / "MANIFEST.json").read_text(encoding="utf-8"))["cases"]:
            file = case["principal"][0].rsplit("/", 1)[-1] if case["principal"] else case["id"]
            assert f"{name}: {file}" in text
