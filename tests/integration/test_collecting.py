"""Validation material that a document lacks is fetched at its deposit, judged apart, and kept; for real.

Documents are signed by an authority made here, whose certificates name addresses on a web that is a dictionary; they
are examined by the real examiner, in its processes, which reach nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from archive_core.errors import UnavailableError
from archive_core.findings import Verdict
from archive_core.ports import FileExamination
from policies.examination import ExaminationPolicy, ExaminationRule
from signing.examination.asks import Collected
from signing.examination.at_deposit import DepositExaminer, Reach
from signing.examination.request import TrustGiven
from tests.unit.signing import forge
from tests.unit.signing.examination.signing_world import cms_by
from tests.unit.signing.forge import NOW, Identity

SITE = "http://ca.example"
COLLECTS = ExaminationPolicy(rule=ExaminationRule.RECORD, collect=True)
STRICT = ExaminationPolicy(rule=ExaminationRule.RECORD, collect=True, freshness="later")
HOUR = timedelta(hours=1)


@dataclass
class Web:
    """What lies where; `asked` are the addresses that were asked."""

    pages: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str, request: bytes | None) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise UnavailableError(f"{url} does not answer")
        return self.pages[url]()

    @property
    def reach(self) -> Reach:
        return Reach(self.fetch, lambda url: url.startswith(f"{SITE}/"))


def _points(url: str) -> tuple[x509.ExtensionType, bool]:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([point]), False


def _access(**places: str) -> tuple[x509.ExtensionType, bool]:
    methods = {"ocsp": AuthorityInformationAccessOID.OCSP, "issuers": AuthorityInformationAccessOID.CA_ISSUERS}
    listed = [
        x509.AccessDescription(methods[name], x509.UniformResourceIdentifier(url)) for name, url in places.items()
    ]
    return x509.AuthorityInformationAccess(listed), False


@dataclass(frozen=True)
class Authority:
    """A root that is trusted, an authority between, and a signer whose certificate says where data lie."""

    root: Identity
    between: Identity
    signer: Identity

    @classmethod
    def made(cls, *more: tuple[x509.ExtensionType, bool], **access: str) -> Authority:
        root = forge.authority("Root")
        is_ca = (x509.BasicConstraints(ca=True, path_length=None), True)
        usage = (forge.key_usage(certificates=True), True)
        between = forge.issued("Between", root, extensions=[is_ca, usage, _points(f"{SITE}/root.crl")])
        extensions = [(forge.key_usage(), True), _access(issuers=f"{SITE}/between.cer", **access), *more]
        return cls(root, between, forge.issued("Jana", between, extensions=extensions))

    def web(self) -> Web:
        return Web(
            {
                f"{SITE}/between.cer": lambda: self.between.der,
                f"{SITE}/root.crl": lambda: forge.crl(self.root),
                f"{SITE}/between.crl": lambda: forge.crl(self.between),
                f"{SITE}/ocsp": lambda: forge.ocsp(self.signer, self.between),
            }
        )

    def signed(self, content: bytes = b"the letter") -> bytes:
        """A CAdES signature with the signer's certificate alone."""
        return cms_by(self.signer, content)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.made(_points(f"{SITE}/between.crl"))


def examined(
    authority: Authority,
    web: Web | None,
    policy: ExaminationPolicy = COLLECTS,
    *,
    at: datetime = NOW,
    existed: datetime | None = None,
) -> FileExamination:
    examiner = DepositExaminer(TrustGiven(anchors=(authority.root.der,)), reach=web.reach if web else None)
    (found,) = examiner.examine([("a.p7m", authority.signed())], at=at, policy=policy, existed=existed)
    return found


def sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def test_chain_and_lists_are_fetched_and_the_signature_is_good_with_them(authority: Authority) -> None:
    """Issuer first, then what he and his issuer say; the anchor is kept as well, so that the path is whole for ever."""
    web = authority.web()
    found = examined(authority, web)

    assert (found.verdict, found.later, found.problems) == (Verdict.PASSED, False, ())
    assert set(found.material.certificates) == {authority.between.der, authority.root.der}
    assert len(found.material.crls) == 2
    assert (
        sorted(set(web.asked))
        == sorted(web.asked)
        == sorted([f"{SITE}/between.cer", f"{SITE}/between.crl", f"{SITE}/root.crl"])
    )
    again = DepositExaminer(TrustGiven(anchors=(authority.root.der,))).examine(
        [("a.p7m", authority.signed())],
        at=NOW,
        policy=ExaminationPolicy(rule=ExaminationRule.RECORD),
        material=found.material,
    )
    assert again[0].verdict is Verdict.PASSED


def test_a_responder_is_asked_before_a_list() -> None:
    """Its answer is fresh, and small."""
    authority = Authority.made(_points(f"{SITE}/between.crl"), ocsp=f"{SITE}/ocsp")
    web = authority.web()
    found = examined(authority, web)

    assert found.verdict is Verdict.PASSED
    assert (len(found.material.ocsps), f"{SITE}/between.crl" in web.asked) == (1, False)


@pytest.mark.slow
def test_nothing_is_fetched_unless_the_profile_asks(authority: Authority) -> None:
    """The same document is undecided then, and nobody was contacted."""
    web = authority.web()
    found = examined(authority, web, ExaminationPolicy(rule=ExaminationRule.RECORD))

    assert (found.verdict, found.later, web.asked) == (Verdict.INDETERMINATE, False, [])


@pytest.mark.slow
def test_no_address_is_contacted_that_was_not_allowed(authority: Authority) -> None:
    """The document is taken in all the same, undecided, and it says why; it waits for better days."""
    found = examined(authority, None)

    assert (found.verdict, found.later) == (Verdict.INDETERMINATE, True)
    assert "is not below an address" in found.problems[0]
    assert found.material.crls == ()


@pytest.mark.slow
def test_a_server_that_is_away_is_no_decision(authority: Authority) -> None:
    """Undecided, and to be examined again, with the address that gave nothing."""
    web = authority.web()
    del web.pages[f"{SITE}/between.crl"]
    found = examined(authority, web)

    assert (found.verdict, found.later) == (Verdict.INDETERMINATE, True)
    assert any("between.crl does not answer" in problem for problem in found.problems)


@pytest.mark.parametrize(
    "lie",
    [
        lambda authority: forge.crl(forge.authority("Between")),
        lambda authority: b"no list",
        lambda authority: forge.crl(authority.root),
    ],
    ids=["another's", "nothing", "the root's"],
)
@pytest.mark.slow
def test_a_list_that_is_none_of_the_issuers_is_not_kept(
    authority: Authority, lie: Callable[[Authority], bytes]
) -> None:
    """Nor does it decide anything."""
    web = authority.web()
    octets = lie(authority)
    web.pages[f"{SITE}/between.crl"] = lambda: octets
    found = examined(authority, web)

    assert found.verdict is Verdict.INDETERMINATE
    assert octets not in found.material.crls or octets == forge.crl(authority.root)
    assert found.problems


def test_revoked_is_what_a_fresh_list_says(authority: Authority) -> None:
    """Bad news is kept like good news; and nothing shows that the signature is older."""
    web = authority.web()
    revoked = [(authority.signer, NOW - HOUR, None)]
    web.pages[f"{SITE}/between.crl"] = lambda: forge.crl(authority.between, revoked=revoked)
    found = examined(authority, web)

    assert (found.verdict, found.sub_indications, found.later) == (Verdict.INDETERMINATE, ("REVOKED_NO_POE",), False)
    assert len(found.material.crls) == 2


def test_a_list_older_than_the_deposit_decides_only_later(authority: Authority) -> None:
    """Freshness 0 of Reg. (EU) 2025/1946: TRY_LATER at the deposit, PASSED with the list that was issued after it; the
    deposit's own time stands for when the signature existed."""
    web = authority.web()
    web.pages[f"{SITE}/between.crl"] = lambda: forge.crl(authority.between, issued_at=NOW - HOUR)
    first = examined(authority, web, STRICT, existed=NOW)

    assert (first.verdict, first.sub_indications, first.later) == (Verdict.INDETERMINATE, ("TRY_LATER",), True)
    web.pages[f"{SITE}/between.crl"] = lambda: forge.crl(authority.between, issued_at=NOW + HOUR)
    second = examined(authority, web, STRICT, at=NOW + 2 * HOUR, existed=NOW)
    assert (second.verdict, second.later) == (Verdict.PASSED, False)


def test_revoked_after_the_deposit_is_still_good(authority: Authority) -> None:
    """The archive held it before: what was revoked later does not undo it (EN 319 102-1 5.6.2.4)."""
    web = authority.web()
    revoked = [(authority.signer, NOW + HOUR, None)]
    web.pages[f"{SITE}/between.crl"] = lambda: forge.crl(authority.between, issued_at=NOW + 2 * HOUR, revoked=revoked)
    found = examined(authority, web, STRICT, at=NOW + 3 * HOUR, existed=NOW)

    assert found.verdict is Verdict.PASSED
    assert b"PAST_VALIDATION" in found.report


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"asks": [["http://x", "AA=="]] * 41, "certificates": [], "crls": [], "ocsps": [], "problems": []},
        {"asks": [["x" * 501, ""]], "certificates": [], "crls": [], "ocsps": [], "problems": []},
        {"asks": [[1, ""]], "certificates": [], "crls": [], "ocsps": [], "problems": []},
        {"asks": [], "certificates": ["!"], "crls": [], "ocsps": [], "problems": []},
        {"asks": [], "certificates": ["AA=="] * 401, "crls": [], "ocsps": [], "problems": []},
        {"asks": [], "certificates": [], "crls": [], "ocsps": [], "problems": ["x" * 301]},
    ],
)
def test_a_process_that_was_taken_over_asks_for_no_more_than_it_may(value: dict[str, object]) -> None:
    """What it says it would ask is read as strictly as what it found."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Collected.from_json(value)
