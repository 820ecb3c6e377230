"""Identity by client certificate: on the word of the proxy that the settings name, and of nobody else."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from werkzeug.test import TestResponse

from api.app import create_app
from api.client_certificates import ClientCertificates
from api.doctor_proxy import faults_of
from api.home import default_settings
from api.settings import ArchiveSettings, parse_settings
from api.settings_proxy import ClientSettings, Network, ProxySettings
from api.settings_table import Secret
from archive_core.errors import SettingsError
from tests.integration.http_world import OPERATOR, HttpWorld, http_world

SECRET = "of-the-proxy-and-nobody-elses-0123456789"
PROXY = "10.9.8.7"
NOW = datetime.now(UTC)


def certificate(
    name: str, *, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=1)
) -> x509.Certificate:
    """A certificate of that subject; who issued it is the proxy's affair."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(name)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW + begins).not_valid_after(NOW + ends)
    return made.sign(key, hashes.SHA256())


def escaped(one: x509.Certificate) -> str:
    """As nginx has it in $ssl_client_escaped_cert."""
    return quote(one.public_bytes(serialization.Encoding.PEM).decode(), safe="")


PINNED, NAMED = certificate("CN=auditor"), certificate("CN=Spisovná služba,O=Obec A,C=CZ")


@dataclass
class Front:
    """The archive behind a proxy."""

    world: HttpWorld
    settings: ArchiveSettings
    keys: dict[str, str]

    @functools.cached_property
    def app(self) -> Flask:
        return create_app(self.world.archive, settings=self.settings)

    def ask(
        self, headers: dict[str, str], *, peer: str = PROXY, path: str = "/v1/preservation-objects"
    ) -> TestResponse:
        return self.app.test_client().get(path, headers=headers, environ_base={"REMOTE_ADDR": peer})

    def reason(self, headers: dict[str, str], *, peer: str = PROXY) -> str:
        """Why a request was refused."""
        answer = self.ask(headers, peer=peer)
        assert answer.status_code == 401
        assert answer.json is not None
        assert answer.json["type"] == "urn:trusted-archive:problem:certificate-refused"
        return str(answer.json["facts"]["reason"])


def by(one: x509.Certificate, **changed: str) -> dict[str, str]:
    """What the proxy says of a client with that certificate."""
    said = {"X-Proxy-Secret": SECRET, "X-Client-Verify": "SUCCESS", "X-Client-Certificate": escaped(one)}
    return {**said, **{name.replace("_", "-"): value for name, value in changed.items()}}


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with http_world(tmp_path_factory.mktemp("front")) as world:
        made = {
            role: world.archive.create_key(label=role, role=role, originator=originator, actor=OPERATOR)[0].key_id
            for role, originator in (("auditor", None), ("depositor", "obec-a"))
        }
        (world.home / "proxy.secret").write_text(f"{SECRET}\n")
        proxy = ProxySettings(
            addresses=parse_addresses(f'["{PROXY}", "127.0.0.1"]'),
            secret=Secret("file:proxy.secret"),
            clients=(
                ClientSettings(made["auditor"], sha256=PINNED.fingerprint(hashes.SHA256()).hex()),
                ClientSettings(made["depositor"], subject=r"CN=Spisovn\C3\A1 slu\C5\BEba,O=Obec A,C=CZ"),
            ),
        )
        yield Front(world, replace(world.settings, proxy=proxy), made)


TABLE = """
[proxy]
addresses = ADDRESSES
secret = "file:proxy.secret"

[[proxy.client]]
key = "key-0123456789abcdef"
subject = "CN=client"
"""


def parse_proxy(text: str) -> ProxySettings:
    found = parse_settings(default_settings("home", "sqlite:///c.sqlite3") + text, Path("/home")).proxy
    assert found is not None
    return found


def parse_addresses(text: str) -> tuple[Network, ...]:
    return parse_proxy(TABLE.replace("ADDRESSES", text)).addresses


def test_a_certificate_is_the_key_that_it_stands_for(front: Front) -> None:
    """By its fingerprint, or by its subject as OpenSSL escapes it; with the role and organisation of the key."""
    assert front.ask(by(PINNED)).status_code == 200
    assert front.ask(by(PINNED), path="/v1/keys").status_code == 403
    assert front.ask(by(NAMED)).status_code == 200
    actors = [actor for actor, code in front.world.refusals() if code == "not-permitted"]
    assert actors == [front.keys["auditor"]]
    assert front.ask(by(PINNED), peer="127.0.0.1").status_code == 200
    assert front.ask(by(PINNED), peer="::ffff:127.0.0.1").status_code == 200


def test_a_renewed_certificate_of_a_named_subject_goes_on(front: Front) -> None:
    """A pinned one does not: another certificate of its subject is another."""
    assert front.ask(by(certificate("CN=Spisovná služba,O=Obec A,C=CZ"))).status_code == 200
    assert front.reason(by(certificate("CN=auditor"))) == "unknown"


STRANGERS = ["10.9.8.8", "192.0.2.1", "::1", "", "unix:"]


@pytest.mark.parametrize("peer", STRANGERS)
def test_headers_from_anywhere_else_are_refused(front: Front, peer: str) -> None:
    """Also with the secret, with a key that is good, and each header for itself."""
    assert front.reason(by(PINNED), peer=peer) == "proxy"
    assert front.reason({**by(PINNED), **front.world.key("operator", None)}, peer=peer) == "proxy"
    for name, value in by(PINNED).items():
        assert front.reason({name: value, **front.world.key("operator", None)}, peer=peer) == "proxy"


@pytest.mark.parametrize("shown", [None, "", "wrong", SECRET[:-1], SECRET + "x", "ř" * 40])
def test_who_has_the_address_and_not_the_secret_is_refused(front: Front, shown: str | None) -> None:
    """Anybody on the proxy's machine has its address."""
    said = by(PINNED)
    del said["X-Proxy-Secret"]
    assert front.reason(said if shown is None else {**said, "X-Proxy-Secret": shown}) == "secret"


UNVERIFIED = ["", "NONE", "FAILED:certificate has expired", "success", "SUCCESS,SUCCESS", "SUCCESS\u00a0"]


@pytest.mark.parametrize("verified", UNVERIFIED)
def test_what_the_proxy_did_not_find_good_is_refused(front: Front, verified: str) -> None:
    """Whatever else it says, and where it does not say it at all."""
    said = by(PINNED, X_Client_Verify=verified)
    assert front.reason(said) == "not-verified"
    del said["X-Client-Verify"]
    assert front.reason(said) == "not-verified"


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (certificate("CN=auditor", ends=timedelta(seconds=-1)), "expired"),
        (certificate("CN=Spisovná služba,O=Obec A,C=CZ", ends=timedelta(hours=-1)), "expired"),
        (certificate("CN=Spisovná služba,O=Obec A,C=CZ", begins=timedelta(hours=1)), "expired"),
        (certificate("CN=stranger"), "unknown"),
        (certificate("CN=Spisovná služba,O=Obec B,C=CZ"), "unknown"),
        (certificate("O=Obec A,CN=Spisovná služba,C=CZ"), "unknown"),
    ],
)
def test_a_certificate_that_stands_for_nothing_is_refused(front: Front, one: x509.Certificate, reason: str) -> None:
    """Ended, not yet begun, of nobody, of another organisation, of the same words in another order."""
    assert front.reason(by(one)) == reason


def altered(one: x509.Certificate, was: bytes, now: bytes) -> str:
    """The same certificate but for some octets, as nginx has it."""
    der = one.public_bytes(serialization.Encoding.DER)
    assert was in der
    return quote(ssl.DER_cert_to_PEM_cert(der.replace(was, now)), safe="")


MALFORMED = [
    "no certificate",
    "%",
    "%2D%2D%2D",
    escaped(PINNED)[:-200],
    escaped(PINNED)[60:],
    altered(PINNED, b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06"),
    altered(PINNED, b"\x0c\x07auditor", b"\x03\x07\x00uditor"),
    "%00" * 100,
    "A" * 20_000,
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_header_without_a_certificate_is_refused(front: Front, text: str) -> None:
    """Cut, of a version that X.509 does not know, of a name that is no text, empty inside, endless."""
    assert front.reason(by(PINNED, X_Client_Certificate=text)) == "malformed"


def test_a_key_that_was_revoked_takes_its_certificate_along(front: Front) -> None:
    """And so does one that has ended; nothing remembers that it was good."""
    row, _ = front.world.archive.create_key(label="short", role="auditor", originator=None, actor=OPERATOR)
    proxy = front.settings.proxy
    assert proxy is not None
    other = replace(proxy, clients=(ClientSettings(row.key_id, subject="CN=auditor"),))
    again = Front(front.world, replace(front.settings, proxy=other), front.keys)
    assert again.ask(by(PINNED)).status_code == 200
    front.world.archive.revoke_key(row.key_id, actor=OPERATOR)
    assert again.reason(by(PINNED)) == "key"
    missing = replace(proxy, clients=(ClientSettings("key-00ff", subject="CN=auditor"),))
    assert Front(front.world, replace(front.settings, proxy=missing), front.keys).reason(by(PINNED)) == "key"


def test_without_a_certificate_keys_are_as_ever(front: Front) -> None:
    """The proxy lets them pass; with both, the key decides, and a wrong one is not helped by a certificate."""
    bare = {"X-Proxy-Secret": SECRET, "X-Client-Verify": "NONE"}
    assert front.ask(bare).status_code == 401
    assert front.ask({**bare, **front.world.key("operator", None)}).status_code == 200
    assert front.ask({**by(PINNED), **front.world.key("operator", None)}, path="/v1/keys").status_code == 200
    assert front.ask({**by(PINNED), "Authorization": "Bearer ta_wrong"}).status_code == 401
    assert front.ask(front.world.key("operator", None), peer="192.0.2.1").status_code == 200


@pytest.mark.parametrize(
    "sent", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_another_site_cannot_use_a_browsers_certificate(front: Front, sent: dict[str, str]) -> None:
    """Browsers send certificates along by themselves; keys they do not."""
    assert front.reason({**by(PINNED), **sent}) == "browser"
    assert front.ask({**by(PINNED), **sent, **front.world.key("operator", None)}).status_code == 200
    assert front.ask({**by(PINNED), "Sec-Fetch-Site": "none"}).status_code == 200


def test_attempts_are_told_in_the_trail(front: Front) -> None:
    """With what was tried; what was presented is not repeated."""
    front = Front(front.world, front.settings, front.keys)  # of strangers so many are told in a minute
    before = len(front.world.refusals())
    assert front.reason(by(PINNED), peer="192.0.2.77") == "proxy"
    assert front.world.refusals()[before:] == [("stranger", "certificate-refused")]
    answer = front.ask(by(PINNED), peer="192.0.2.77")
    assert "192.0.2.77" in answer.get_data(as_text=True)
    assert SECRET not in answer.get_data(as_text=True)


def test_without_settings_nobodys_word_is_taken(front: Front) -> None:
    """Off is off: the headers mean nothing, wherever they come from."""
    off = Front(front.world, front.world.settings, front.keys)
    assert off.settings.proxy is None
    for peer in (PROXY, "127.0.0.1", "192.0.2.1"):
        answer = off.ask(by(PINNED), peer=peer)
        assert (answer.status_code, answer.json and answer.json["type"].rpartition(":")[2]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ('["127.0.0.1"]', "[]", "addresses"),
        ('["127.0.0.1"]', '["0.0.0.0/0"]', "everybody"),
        ('["127.0.0.1"]', '["::/0"]', "everybody"),
        ('["127.0.0.1"]', '["localhost"]', "no address"),
        ('["127.0.0.1"]', '["10.0.0.1/8"]', "no address"),
        ('"file:proxy.secret"', '"planted-secret-7731"', "address of a secret"),
        ("secret =", 'certificate_header = "Authorization"\nsecret =', "headers"),
        ("secret =", 'certificate_header = "X_Client"\nsecret =', "headers"),
        ("secret =", 'certificate_header = "x-client-verify"\nsecret =', "headers"),
        ("secret =", 'issuer = "any"\nsecret =', "unknown key"),
        ('key = "key-0123456789abcdef"', 'key = "ta_planted-secret-7731"', "id of a key"),
        ('subject = "CN=client"', "", "either sha256 or subject"),
        ('subject = "CN=client"', 'subject = "CN=client"\nsha256 = "00"', "either sha256 or subject"),
        ('subject = "CN=client"', 'sha256 = "00"', "64 hexadecimal"),
        ('subject = "CN=client"', 'subject = "anybody"', "subject"),
        ("[[proxy.client]]", "[[proxy.person]]", "unknown key"),
    ],
)
def test_settings_that_would_let_others_in_are_refused(written: str, instead: str, said: str) -> None:
    """With what to change, and without showing what may be a secret."""
    good = TABLE.replace("ADDRESSES", '["127.0.0.1"]')
    assert parse_proxy(good).clients
    assert written in good
    with pytest.raises(SettingsError, match=said) as caught:
        parse_proxy(good.replace(written, instead))
    assert "planted-secret" not in str(caught.value)


def test_two_certificates_are_not_one_and_a_short_secret_is_none(tmp_path: Path) -> None:
    """The same subject for two keys; no client at all; a secret that can be guessed, or is not there."""
    good = TABLE.replace("ADDRESSES", '["127.0.0.1"]')
    with pytest.raises(SettingsError, match="same subject"):
        parse_proxy(good + '[[proxy.client]]\nkey = "key-00"\nsubject = "CN=client"\n')
    with pytest.raises(SettingsError, match="leave"):
        parse_proxy(good[: good.index("[[proxy.client]]")])
    with pytest.raises(SettingsError, match="cannot read"):
        ClientCertificates.under(parse_proxy(good), tmp_path)
    (tmp_path / "proxy.secret").write_text("x" * 31)
    with pytest.raises(SettingsError, match="fewer than 32"):
        ClientCertificates.under(parse_proxy(good), tmp_path)
    (tmp_path / "proxy.secret").write_text("x" * 32)
    assert ClientCertificates.under(parse_proxy(good), tmp_path) is not None
    assert ClientCertificates.under(None, tmp_path) is None


def test_doctor_names_certificates_that_lead_nowhere(front: Front) -> None:
    """And a secret that is not there; nothing is said without a proxy."""
    proxy, catalogue = front.settings.proxy, front.world.archive.catalogue
    assert proxy is not None
    assert list(faults_of(front.settings, catalogue, at=NOW)) == []
    assert list(faults_of(front.world.settings, catalogue, at=NOW)) == []
    row, _ = front.world.archive.create_key(label="gone", role="auditor", originator=None, actor=OPERATOR)
    front.world.archive.revoke_key(row.key_id, actor=OPERATOR)
    clients = (ClientSettings(row.key_id, subject="CN=a"), ClientSettings("key-00ff", subject="CN=b"))
    wrong = replace(front.settings, proxy=replace(proxy, secret=Secret("file:nothing"), clients=clients))
    told = [message for message, _ in faults_of(wrong, catalogue, at=NOW)]
    assert [one.partition(":")[2].strip() or one for one in told[1:]] == [
        "was revoked, or has ended",
        "there is no such key",
    ]
    assert "cannot read the secret" in told[0]
