"""The files of one deposit, each examined apart, detached signatures with what they are over."""

from __future__ import annotations

import json
from pathlib import Path

from archive_core.findings import Verdict
from policies.examination import ExaminationPolicy, ExaminationRule
from signing.examination.at_deposit import DepositExaminer, _named_after
from signing.examination.report_json import from_json
from signing.examination.request import TrustGiven
from signing.examination.sandbox import Limits
from tests.unit.signing.examination.signing_world import NOW, World

POLICY = ExaminationPolicy(rule=ExaminationRule.RECORD)


def test_each_file_gets_its_answer(world: World, tmp_path: Path) -> None:
    """A detached signature is over the file that it is named after; the report reads back."""
    contents = {
        "a/letter.txt": b"the letter",
        "a/letter.txt.p7s": world.cms(b"the letter", detached=True),
        "b/letter.txt": b"another",
    }
    files = []
    for index, (name, content) in enumerate(contents.items()):
        path = tmp_path / str(index)
        path.write_bytes(content)
        files.append((name, path))
    trust = TrustGiven(test_anchors=(world.local.anchor,), material=world.trust().extra)
    plain, signature, other = DepositExaminer(trust).examine(files, at=NOW, policy=POLICY)

    assert [one.path for one in (plain, signature, other)] == list(contents)
    assert (signature.verdict, signature.examined, signature.signatures) == (Verdict.PASSED, True, 1)
    assert (plain.verdict, plain.examined) == (None, False)
    assert from_json(json.loads(signature.report)).signatures[0].covers == ("a/letter.txt",)


def test_a_file_that_exceeds_the_limits_is_undecided(world: World, tmp_path: Path) -> None:
    """And the report says why."""
    path = tmp_path / "signed.p7m"
    path.write_bytes(world.cms(b"x"))
    (found,) = DepositExaminer(TrustGiven(), limits=Limits(wall_seconds=0.01)).examine(
        [("signed.p7m", path)], at=NOW, policy=POLICY
    )

    assert (found.verdict, found.examined) == (Verdict.INDETERMINATE, False)
    assert b"EXAMINATION_STOPPED" in found.report


def test_a_signature_is_tried_over_what_it_is_named_after() -> None:
    """Names decide who is asked, digests who is meant."""
    files = [(name, Path(name)) for name in ("a.pdf", "a.pdf.p7s", "a.p7s", "b.pdf", "a.doc", "d/a.pdf", "plain")]

    assert [name for name, _ in _named_after("a.pdf.p7s", files)] == ["a.pdf"]
    assert [name for name, _ in _named_after("a.p7s", files)] == ["a.pdf", "a.doc"]
    assert [name for name, _ in _named_after("plain", files)] == []
