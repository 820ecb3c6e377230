"""Chain and revocation data over real HTTP: fetched only from where it is allowed, kept only when it is authentic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from api.settings import AuthoritySettings, parse_settings
from api.wiring_signing import http_authority
from archive_core.errors import SettingsError, TimestampAuthorityUnavailableError
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from archive_core.renewal.covering import Covering
from policies.algorithms import current_algorithms
from signing import http_fetch
from signing.fetching import FetchedData, over_http
from signing.http_fetch import Allowed
from signing.timestamp_validation import TokenValidator
from tests.renewal_world import RenewalWorld, good
from tests.unit.signing import forge
from tests.unit.signing.forge import DER, NOW, Identity, Recipe

Answer = Callable[[], bytes | tuple[str, bytes]]


class Clock:
    def now(self) -> datetime:
        return NOW


@dataclass
class Site:
    """What lies on a web server, by path; `seen` are the requests that came, with their bodies."""

    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    url: str = ""

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], body))
        found = self.answers.get(environ["PATH_INFO"], lambda: ("404 Not Found", b"nothing"))()
        status, content = found if isinstance(found, tuple) else ("200 OK", found)
        headers = [("Content-Length", str(len(content)))]
        start(status, [*headers, ("Location", f"{self.url}/ca.crl")] if status.startswith("3") else headers)
        return [content]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tests read no log."""


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def site() -> Iterator[Site]:
    """An empty web server on this machine."""
    made = Site()
    server = make_server("127.0.0.1", 0, made, server_class=_Threaded, handler_class=_Quiet)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@cache
def root() -> Identity:
    return forge.authority("Fetch root")


@cache
def stranger() -> Identity:
    return forge.authority("Stranger")


def unit(
    site: Site, *, lists: bool = True, ocsp: bool = False, issuers: bool = False, above: Identity | None = None
) -> Identity:
    """A time-stamp unit whose certificate says where data lie."""
    more: list[tuple[x509.ExtensionType, bool]] = []
    if lists:
        address = x509.UniformResourceIdentifier(f"{site.url}/ca.crl")
        more.append((x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)]), False))
    places = {AuthorityInformationAccessOID.OCSP: ocsp, AuthorityInformationAccessOID.CA_ISSUERS: issuers}
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(f"{site.url}/{name}"))
        for (method, wanted), name in zip(places.items(), ("ocsp", "ca.cer"), strict=True)
        if wanted
    ]
    if access:
        more.append((x509.AuthorityInformationAccess(access), False))
    return forge.time_stamp_unit(above or root(), more=more)


def fetched(site: Site, token: bytes, *, allowed: str | None = None, timeout: float = 3.0) -> ValidationData:
    anchor = root().certificate.public_bytes(DER)
    source = FetchedData(Allowed([allowed or f"{site.url}/"]), over_http(timeout), Clock(), known=[anchor])
    return source(token)


def judged(token: bytes, data: ValidationData | None) -> Any:
    validator = TokenValidator([root().certificate.public_bytes(DER)], algorithms=current_algorithms())
    return validator.assess(token, at=NOW, data=data)


# -- what is fetched --------------------------------------------------------------------------


def test_a_list_is_fetched_and_the_token_is_good_with_it(site: Site) -> None:
    """Before, revocation data was missing."""
    token = Recipe(unit(site)).token()
    site.answers["/ca.crl"] = lambda: forge.crl(root())
    data = fetched(site, token)

    assert judged(token, None).sub_indication is SubIndication.TRY_LATER
    assert judged(token, data).verdict is Verdict.PASSED
    assert len(data.crls) == 1
    assert site.seen == [("GET", "/ca.crl", b"")]


def test_a_responder_is_asked_only_where_no_list_can_be_had(site: Site) -> None:
    """With a list it is left alone; without, it is asked about this certificate."""
    signer = unit(site, ocsp=True)
    token = Recipe(signer).token()
    site.answers["/ocsp"] = lambda: forge.ocsp(signer, root(), next_update=NOW + timedelta(days=1))
    without = fetched(site, token)
    site.answers["/ca.crl"] = lambda: forge.crl(root())
    site.seen.clear()
    with_list = fetched(site, token)

    assert (len(without.crls), len(without.ocsps)) == (0, 1)
    assert judged(token, without).verdict is Verdict.PASSED
    assert (len(with_list.crls), len(with_list.ocsps)) == (1, 0)
    assert [path for _, path, _ in site.seen] == ["/ca.crl"]


def test_a_delegated_responder_is_believed(site: Site) -> None:
    """Its certificate comes with the response and is the issuer's (RFC 6960 4.2.2.2)."""
    signer = unit(site, lists=False, ocsp=True)
    responder = forge.time_stamp_unit(root(), "Responder", usages=(ExtendedKeyUsageOID.OCSP_SIGNING,))
    answer = forge.ocsp(signer, root(), next_update=NOW + timedelta(days=1), responder=responder)
    site.answers["/ocsp"] = lambda: answer

    assert len(fetched(site, Recipe(signer).token()).ocsps) == 1


def test_an_issuer_that_the_token_lacks_is_fetched_with_its_own_data(site: Site) -> None:
    """A chain of three, of which the token holds one and we know the last."""
    address = x509.UniformResourceIdentifier(f"{site.url}/root.crl")
    points = x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)])
    between = forge.issued(
        "Between",
        root(),
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (forge.key_usage(certificates=True), True),
            (points, False),
        ],
    )
    signer = unit(site, issuers=True, above=between)
    token = Recipe(signer, certificates=(signer.certificate,)).token()
    site.answers |= {
        "/ca.cer": lambda: between.certificate.public_bytes(DER),
        "/ca.crl": lambda: forge.crl(between),
        "/root.crl": lambda: forge.crl(root()),
    }
    data = fetched(site, token)

    assert between.certificate.public_bytes(DER) in data.certificates
    assert len(data.crls) == 2
    assert judged(token, data).verdict is Verdict.PASSED


def test_bad_news_is_kept_like_good_news(site: Site) -> None:
    """A list that revokes the unit is authentic: whoever judges has to know."""
    signer = unit(site)
    token = Recipe(signer).token()
    gone = (signer, NOW - timedelta(days=1), x509.ReasonFlags.key_compromise)
    site.answers["/ca.crl"] = lambda: forge.crl(root(), revoked=[gone])

    assert judged(token, fetched(site, token)).sub_indication is SubIndication.REVOKED


def test_what_is_inside_does_for_a_server_that_is_away(site: Site) -> None:
    """No error, because nothing is missing."""
    token = Recipe(unit(site), crls=(forge.crl(root()),)).token()
    data = fetched(site, token)

    assert len(data.crls) == 1
    assert [path for _, path, _ in site.seen] == ["/ca.crl"]


def test_a_certificate_that_names_no_address_is_left_to_the_validator(site: Site) -> None:
    """Nothing could be fetched, now or later."""
    token = Recipe(unit(site, lists=False)).token()

    assert fetched(site, token).crls == ()
    assert site.seen == []


# -- lies -------------------------------------------------------------------------------------


def _refused(site: Site, signer: Identity, why: str) -> None:
    with pytest.raises(TimestampAuthorityUnavailableError, match=why) as refusal:
        fetched(site, Recipe(signer).token())
    assert site.url in str(refusal.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: forge.crl(stranger()), "not the issuer's"),
        (lambda: forge.crl(root(), key=stranger().key), "not signed by the issuer"),
        (lambda: forge.crl(root(), issued_at=NOW - timedelta(days=30)), "outdated"),
        (lambda: forge.crl(root(), issued_at=NOW + timedelta(days=1)), "future"),
        (lambda: forge.crl(root())[:-1], "cannot be read"),
        (lambda: forge.crl(root()) + b"\x00", "cannot be read"),
        (lambda: b"<html>maintenance</html>", "cannot be read"),
        (lambda: b"", "cannot be read"),
        (lambda: root().certificate.public_bytes(DER), "cannot be read"),
        (lambda: ("404 Not Found", b""), "HTTP 404"),
        (lambda: ("503 Service Unavailable", b""), "HTTP 503"),
        (lambda: ("302 Found", b""), "redirects are not followed"),
    ],
)
def test_a_list_that_is_none_of_the_issuers_is_not_kept(site: Site, answer: Answer, why: str) -> None:
    """Of another, forged, old, of tomorrow, cut off, padded, a page, empty, another thing, an error, a detour."""
    site.answers["/ca.crl"] = answer

    _refused(site, unit(site), why)
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda signer: forge.ocsp(forge.time_stamp_unit(root()), root()), "about another certificate"),
        (lambda signer: forge.ocsp(signer, stranger()), "about another certificate"),
        (lambda signer: forge.ocsp(signer, root(), responder=forge.time_stamp_unit(root())), "not signed by"),
        (lambda signer: forge.ocsp(signer, root(), responder=stranger()), "not signed by"),
        (lambda signer: forge.ocsp(signer, root(), issued_at=NOW + timedelta(days=1)), "future"),
        (
            lambda signer: forge.ocsp(
                signer, root(), issued_at=NOW - timedelta(days=9), next_update=NOW - timedelta(days=2)
            ),
            "outdated",
        ),
        (lambda signer: bytes.fromhex("30030a0106"), "unauthorized"),
        (lambda signer: b"\x30\x00", "that can be read"),
        (lambda signer: forge.ocsp(signer, root())[:-9], "that can be read"),
    ],
)
def test_a_response_that_is_no_answer_is_not_kept(site: Site, answer: Callable[[Identity], bytes], why: str) -> None:
    """About another, by somebody else, by a unit that answers for nobody, of tomorrow, old, a refusal, nonsense."""
    signer = unit(site, lists=False, ocsp=True)
    site.answers["/ocsp"] = lambda: answer(signer)

    _refused(site, signer, why)


@pytest.mark.parametrize("lie", [lambda: stranger(), lambda: forge.authority("Fetch root")])
def test_an_issuer_that_has_not_issued_is_not_kept(site: Site, lie: Callable[[], Identity]) -> None:
    """Another one, and another one of the same name."""
    between = forge.authority("Between", root())
    signer = unit(site, lists=False, issuers=True, above=between)
    site.answers["/ca.cer"] = lambda: lie().certificate.public_bytes(DER)
    token = Recipe(signer, certificates=(signer.certificate,)).token()

    with pytest.raises(TimestampAuthorityUnavailableError, match="not the issuer"):
        fetched(site, token)


def test_no_address_is_contacted_that_was_not_allowed(site: Site) -> None:
    """The certificate names it; the settings do not."""
    token = Recipe(unit(site, ocsp=True)).token()
    site.answers["/ca.crl"] = lambda: forge.crl(root())

    for allowed in ("http://127.0.0.1:1/", f"{site.url}/other/", site.url.replace("http:", "https:")):
        with pytest.raises(TimestampAuthorityUnavailableError, match="not below an address that `fetch`"):
            fetched(site, token, allowed=allowed)
    assert site.seen == []


def test_a_server_that_drips_is_given_up(site: Site) -> None:
    """Within the time that was set, whether our clock or the socket's is the first to say so."""

    def drip() -> bytes:
        time.sleep(5)
        return b""

    site.answers["/ca.crl"] = drip
    began = time.monotonic()
    with pytest.raises(TimestampAuthorityUnavailableError, match=r"within 0\.3 s|timed out"):
        fetched(site, Recipe(unit(site)).token(), timeout=0.3)

    assert time.monotonic() - began < 4


def test_an_answer_without_end_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a list may have."""
    monkeypatch.setattr(http_fetch, "MAX_FETCHED", 1000)
    site.answers["/ca.crl"] = lambda: b"0" * 5000

    _refused(site, unit(site), "more than 1000 bytes")


# -- where it is used -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "url", "allowed"),
    [
        ("http://ca.example/", "http://ca.example/ca.crl", True),
        ("http://ca.example", "http://ca.example/ca.crl", True),
        ("http://ca.example/crl", "http://ca.example/crl/1.crl", True),
        ("http://ca.example/crl", "http://ca.example/crl", True),
        ("http://ca.example:80/", "http://CA.example/ca.crl", True),
        ("http://ca.example/crl", "http://ca.example/crls/1.crl", False),
        ("http://ca.example/crl/", "http://ca.example/crl/../secret", False),
        ("http://ca.example/crl/", "http://ca.example/crl/%2e%2E/secret", False),
        ("http://ca.example", "http://ca.example.evil/", False),
        ("http://ca.example/", "http://ca.example@evil/", False),
        ("http://ca.example/", "http://user@ca.example/", False),
        ("http://ca.example/", "http://ca.example\\@evil/", False),
        ("http://ca.example/", "https://ca.example/ca.crl", False),
        ("http://ca.example/", "http://ca.example:8080/ca.crl", False),
        ("http://ca.example/", "ldap://ca.example/cn=ca", False),
        ("http://ca.example/", "file:///etc/passwd", False),
        ("http://ca.example/", "http://[ca.example/", False),
        ("http://ca.example/", "http://ca.example:99999/", False),
        ("http://ca.example/", "", False),
    ],
)
def test_an_address_is_below_a_prefix_or_it_is_not(prefix: str, url: str, allowed: bool) -> None:
    """Scheme, host and port are equal, and the path goes on at a slash."""
    assert Allowed([prefix]).allows(url) is allowed
    assert not Allowed([]).allows(url)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "ca.example",
        "ldap://ca.example/",
        "http://",
        "http://u:p@ca.example/",
        "http://ca.example/?q",
        "http://a:x/",
    ],
)
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    """When the settings are read, not when it is needed."""
    with pytest.raises(SettingsError):
        http_authority(Path(), AuthoritySettings("a", "http", "http://tsa.example/", fetch=(prefix,)), Clock(), ())


def test_the_settings_say_what_may_be_fetched(site: Site) -> None:
    """Nothing by default; then what lies below."""
    token = Recipe(unit(site)).token()
    site.answers["/ca.crl"] = lambda: forge.crl(root())
    anchor = root().certificate.public_bytes(DER)
    one = AuthoritySettings("a", "http", "http://tsa.example/")

    assert http_authority(Path(), one, Clock(), [anchor]).validation_data(token).crls == ()
    allowed = http_authority(Path(), replace(one, fetch=(site.url,)), Clock(), [anchor])
    assert len(allowed.validation_data(token).crls) == 1


def test_a_renewal_waits_for_revocation_data_says_so_and_goes_on_with_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list cannot be had: nothing is covered, an alarm stands; it can be had again: the next round renews."""
    world = RenewalWorld(tmp_path, inside=False)
    tsa = world.mortal["local-tsa-1"]
    address = x509.UniformResourceIdentifier(f"{site.url}/ca.crl")
    points = x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)])
    start = world.clock.now() - timedelta(days=1)
    tsa.unit = forge.time_stamp_unit(tsa.root, start=start, end=start + 5 * forge.YEAR, more=[(points, False)])
    source = FetchedData(Allowed([site.url]), over_http(3.0), world.clock, known=[tsa.anchor])
    tsa.validation_data = source  # type: ignore[method-assign]
    site.answers["/ca.crl"] = tsa.crl
    world.deposit({"a.txt": b"alpha"})
    world.preserve()
    site.answers["/ca.crl"] = lambda: ("503 Service Unavailable", b"")
    world.clock.advance(days=365 * 4 + 300)
    with monkeypatch.context() as patched:
        patched.setattr(Covering, "kept", lambda *_: ValidationData())  # nothing is beside the token either
        (view,) = world.renew(which="due").views

    assert view.error is not None
    assert [(one.code, "HTTP 503" in one.message) for one in view.obstacles] == [("validation-data", True)]
    assert any("HTTP 503" in warning for warning in world.archive.renewing.warnings())
    assert world.archive.catalogue.renewals() == []
    site.answers["/ca.crl"] = tsa.crl
    good(world.renew(which="due"))
    assert not any("HTTP 503" in warning for warning in world.archive.renewing.warnings())
    world.prove()
    world.archive.close()


def test_pace_and_fetch_are_settings(tmp_path: Path) -> None:
    """Read as they are written; what is no measure is refused."""
    from api.home import initialise_home
    from api.settings import SETTINGS_FILE

    initialise_home(tmp_path / "home", at=NOW, catalogue_url="sqlite:///catalogue.sqlite3")
    text = (tmp_path / "home" / SETTINGS_FILE).read_text("utf-8")
    more = "\n[renewal]\nread_mib_per_second = 12.5\n"
    read = parse_settings(text + more, tmp_path)

    assert read.renewal.read_mib_per_second == 12.5
    assert all(one.fetch == () for one in read.authorities)
    for wrong in ("-1.0", "0.001", "1e9", "nan"):
        with pytest.raises(SettingsError):
            parse_settings(text + more.replace("12.5", wrong), tmp_path)
