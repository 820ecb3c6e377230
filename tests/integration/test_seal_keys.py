"""Seal keys as they really are: in a file, in a hardware module; there, away, revoked, and taking over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.errors import EvidencePendingError, SealKeyUnavailableError, SettingsError
from archive_core.findings import Verdict
from archive_core.outages import LONGEST_WAIT
from archive_core.receipts import Receipt
from signing.cms import parse_signed_message
from tests.fakes.seal_authority import SealAuthority
from tests.hsm import PIN, SoftHsm, key, pem, soft_hsm
from tests.unit.signing import forge
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(120)


class SealedWorld(World):
    """An archive whose seal key is under an authority of its own."""

    def __init__(self, folder: Path, authority: SealAuthority) -> None:
        super().__init__(folder)
        self.seals = authority

    def use(self, text: str) -> None:
        """Put this in the place of [seal], and open the archive anew."""
        (self.home / "seal-root.pem").write_bytes(self.seals.anchor)
        file = self.home / SETTINGS_FILE
        before = file.read_text()
        start, end = before.index("[seal]"), before.index("[server]")
        changed = f"{before[:start]}[seal]\n{text}\n{before[end:]}"
        if "seal-root.pem" not in changed:
            changed = changed.replace("trust_anchors = [", 'trust_anchors = ["seal-root.pem", ')
        file.write_text(changed)
        self.settings = ArchiveSettings.load(self.home)
        self.restart()

    def certificates(self, identity: forge.Identity, name: str = "seal.pem") -> str:
        (self.home / name).write_bytes(pem(identity, self.seals.below))
        return name

    def with_hsm(self, hsm: SoftHsm, identity: forge.Identity, label: str = "seal", **more: str) -> str:
        """The settings of a key in a module."""
        rest = "".join(f'{name} = "{value}"\n' for name, value in more.items())
        return (
            f'key = "{hsm.address(label)}"\npin = "env:TEST_HSM_PIN"\n{rest}'
            f'certificates = "{self.certificates(identity, f"{label}.pem")}"\nfetch = ["{self.seals.url}"]\n'
        )

    def round(self) -> list[Any]:
        return self.archive.preserve(actor=OPERATOR)

    def status(self) -> dict[str, Any]:
        return self.archive.status(actor=OPERATOR)

    def receipt(self, poid: str) -> Receipt:
        return Receipt.parse(self.archive.receipt(poid, actor=OPERATOR))

    def verdict(self, poid: str) -> Verdict:
        return self.archive.verify(poid, actor=OPERATOR).verdict


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SealedWorld]:
    monkeypatch.setenv("TEST_HSM_PIN", PIN)
    authority = SealAuthority(lambda: datetime.now(UTC))
    with authority.listening():
        made = SealedWorld(tmp_path, authority)
        yield made
        made.archive.close()


@pytest.fixture
def hsm(tmp_path: Path) -> Iterator[SoftHsm]:
    with soft_hsm(tmp_path / "hsm") as made:
        yield made


def signature_of(seal: bytes) -> str:
    (signer,) = cms.ContentInfo.load(seal)["content"]["signer_infos"]
    return str(signer["signature_algorithm"]["algorithm"].native)


@pytest.mark.parametrize(
    ("kind", "by_ocsp", "scheme"), [("rsa3072", False, "rsassa_pss"), ("p384", True, "sha512_ecdsa")]
)
@pytest.mark.slow
def test_a_key_in_a_module_seals_and_its_proof_lies_in_the_seal(
    world: SealedWorld, hsm: SoftHsm, kind: str, by_ocsp: bool, scheme: str
) -> None:
    """RSA 3072 with PSS and ECDSA on P-384; certificate, chain and revocation data are inside, and beside."""
    identity = world.seals.identity(key(kind), by_ocsp=by_ocsp)
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    poid = world.deposit({"a.txt": b"sealed by hardware"}).poid
    world.preserve()

    receipt = world.receipt(poid)
    inside = parse_signed_message(receipt.seal)
    assert signature_of(receipt.seal) == scheme
    assert {one.dump() for one in inside.certificates} >= {identity.der, world.seals.below.der}
    assert (len(inside.crls), len(inside.ocsps)) == ((1, 1) if by_ocsp else (2, 0))
    assert world.verdict(poid) is Verdict.PASSED
    assert world.status()["seal_key"]["ok"] is True


def test_a_module_that_is_away_stops_sealing_and_nothing_else(world: SealedWorld, hsm: SoftHsm) -> None:
    """Deposits go on, `status` says since when and why, and it goes on by itself when the device is back."""
    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    hsm.take_away()
    poid = world.deposit({"a.txt": b"waits"}).poid
    (view,) = world.round()
    assert view.error is not None
    assert "0 tokens" in view.error
    told = world.status()
    assert told["seal_key"]["ok"] is False
    assert told["seal_key"]["failures"] == 1
    assert any("seal key gives no seal" in warning for warning in told["warnings"])
    with pytest.raises(EvidencePendingError):
        world.receipt(poid)

    other = world.deposit({"b.txt": b"waits too"}).poid
    hsm.bring_back()
    world.clock.advance(seconds=LONGEST_WAIT.total_seconds())
    (view,) = world.archive.preserve(actor=OPERATOR, only_due=True)
    assert view.error is None
    assert (world.verdict(poid), world.verdict(other)) == (Verdict.PASSED, Verdict.PASSED)
    assert world.status()["seal_key"] == {"ok": True, "since": None, "failures": 0, "error": None, "ask_again": None}


@pytest.mark.slow
def test_a_module_that_was_open_and_went_away_is_opened_anew(world: SealedWorld, hsm: SoftHsm) -> None:
    """The session of before is no good; the next seal has one of its own."""
    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    world.deposit({"a.txt": b"first"})
    world.preserve()
    hsm.take_away()
    poid = world.deposit({"b.txt": b"second"}).poid
    assert world.round()[0].error is not None
    hsm.bring_back()
    assert [view.error for view in world.round()] == [None]
    assert world.verdict(poid) is Verdict.PASSED


@pytest.mark.slow
def test_nobody_presses_on_a_key_that_does_not_answer(world: SealedWorld, hsm: SoftHsm) -> None:
    """The scheduler leaves it alone for a while; a batch is not even put together meanwhile."""
    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    hsm.take_away()
    world.deposit({"a.txt": b"waits"})
    world.clock.advance(minutes=2)
    assert len(world.archive.preserve(actor=OPERATOR, only_due=True)) == 1
    assert world.archive.preserve(actor=OPERATOR, only_due=True) == []
    assert world.status()["seal_key"]["failures"] == 1


def test_a_wrong_pin_is_tried_once(world: SealedWorld, hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token locks after a few; the same wrong one is not given twice, another one is."""
    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    monkeypatch.setenv("TEST_HSM_PIN", "wrong-pin-1")
    world.deposit({"a.txt": b"waits"})
    said = [world.round()[0].error for _ in range(3)]
    assert said[0] is not None
    assert "refuses the PIN" in said[0]
    assert all(one is not None and "not tried again" in one for one in said[1:])
    assert not any("wrong-pin-1" in str(one) for one in [*said, world.status()])

    monkeypatch.setenv("TEST_HSM_PIN", PIN)
    assert [view.error for view in world.round()] == [None]


@pytest.mark.slow
def test_a_revoked_seal_certificate_stops_sealing(world: SealedWorld, hsm: SoftHsm) -> None:
    """What was sealed before stays good; nothing is sealed with it any more."""
    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    before = world.deposit({"a.txt": b"before"}).poid
    world.preserve()
    world.seals.revoke(identity)
    world.deposit({"b.txt": b"after"})
    (view,) = world.round()
    assert view.error is not None
    assert "REVOKED" in view.error
    assert world.verdict(before) is Verdict.PASSED
    assert world.status()["seal_key"]["ok"] is False


@pytest.mark.slow
def test_an_expired_seal_certificate_stops_sealing(world: SealedWorld, hsm: SoftHsm) -> None:
    """It is not used, and why is said."""
    identity = world.seals.identity(key("p384"), start=datetime.now(UTC) - timedelta(days=400), years=1)
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    world.deposit({"a.txt": b"late"})
    (view,) = world.round()
    assert view.error is not None
    assert "the seal is not used" in view.error


@pytest.mark.slow
def test_a_key_that_is_not_that_of_the_certificate_makes_no_seal(world: SealedWorld, hsm: SoftHsm) -> None:
    """A device that answers is not one that answers rightly."""
    identity = world.seals.identity(key("p384"))
    hsm.put(forge.new_key("p384"), "seal")
    world.use(world.with_hsm(hsm, identity))
    world.deposit({"a.txt": b"wrong key"})
    (view,) = world.round()
    assert view.error is not None
    assert "SIG_CRYPTO_FAILURE" in view.error


@pytest.mark.slow
def test_without_revocation_data_nothing_is_sealed(world: SealedWorld, hsm: SoftHsm) -> None:
    """The responder is away: sealing waits for it, and goes on when it is back."""
    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    world.use(world.with_hsm(hsm, identity))
    world.seals.away = True
    world.deposit({"a.txt": b"waits"})
    (view,) = world.round()
    assert view.error is not None
    assert "cannot be had now" in view.error
    world.seals.away = False
    assert [view.error for view in world.round()] == [None]


@pytest.mark.slow
def test_a_new_key_takes_over_on_its_date_and_old_receipts_stay(world: SealedWorld, hsm: SoftHsm) -> None:
    """From RSA to P-384, at an instant that is written down before it comes."""
    old, new = world.seals.identity(key("rsa3072"), "Old seal"), world.seals.identity(key("p384"), "New seal")
    hsm.put(old.key, "old", "01")
    hsm.put(new.key, "new", "02")
    since = (world.clock.now() + timedelta(hours=1)).replace(microsecond=0)
    later = world.with_hsm(hsm, new, "new", since="@").replace('"@"', f"{since:%Y-%m-%dT%H:%M:%SZ}")
    world.use(f"{world.with_hsm(hsm, old, 'old')}\n[[seal.next]]\n{later}")
    first = world.deposit({"a.txt": b"first"}).poid
    world.preserve()
    world.clock.advance(hours=2)
    second = world.deposit({"b.txt": b"second"}).poid
    world.preserve()

    assert signature_of(world.receipt(first).seal) == "rsassa_pss"
    assert signature_of(world.receipt(second).seal) == "sha512_ecdsa"
    assert (world.verdict(first), world.verdict(second)) == (Verdict.PASSED, Verdict.PASSED)


def test_a_statement_says_whether_its_own_key_is_test_trust(world: SealedWorld, hsm: SoftHsm) -> None:
    """The home's test key until a date, a real one from then on."""
    new = world.seals.identity(key("p384"))
    hsm.put(new.key, "new")
    since = (world.clock.now() + timedelta(hours=1)).replace(microsecond=0)
    later = world.with_hsm(hsm, new, "new", since="@").replace('"@"', f"{since:%Y-%m-%dT%H:%M:%SZ}")
    world.use(f'key = "local:"\n[[seal.next]]\n{later}')
    sealer = world.archive._sealer
    assert sealer.in_force(since - timedelta(seconds=1)).test_trust
    assert not sealer.in_force(since).test_trust


@pytest.mark.slow
def test_a_key_in_a_file_works_and_is_warned_of(world: SealedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """PKCS#12 with its password by address."""
    identity = world.seals.identity(key("p384"))
    octets = pkcs12.serialize_key_and_certificates(
        b"seal",
        identity.key,
        identity.certificate,
        [world.seals.below.certificate],
        serialization.BestAvailableEncryption(b"p12-secret"),
    )
    (world.home / "seal.p12").write_bytes(octets)
    (world.home / "seal.password").write_text("p12-secret\n")
    world.use(f'key = "file:seal.p12"\npassword = "file:seal.password"\nfetch = ["{world.seals.url}"]\n')
    poid = world.deposit({"a.txt": b"sealed by a file"}).poid
    world.preserve()
    assert world.verdict(poid) is Verdict.PASSED
    assert any("lies in a file" in warning for warning in world.status()["warnings"])
    monkeypatch.setenv("WRONG", "guess")
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        world.use(f'key = "file:seal.p12"\npassword = "env:WRONG"\nfetch = ["{world.seals.url}"]\n')
    assert "guess" not in str(caught.value)


@pytest.mark.slow
def test_certificates_may_lie_in_the_token(world: SealedWorld, hsm: SoftHsm) -> None:
    """By the key's label; without one there, it is said what to write."""
    import pkcs11

    from signing.pkcs11_key import Pkcs11Address, Pkcs11Key

    identity = world.seals.identity(key("p384"))
    hsm.put(identity.key, "seal")
    made = Pkcs11Key(Pkcs11Address.parse(hsm.address("seal")), lambda: PIN)
    with pytest.raises(SealKeyUnavailableError, match="no certificate has the key's name"):
        made.certificates()
    token = pkcs11.lib(hsm.address("seal").partition("module-path=")[2]).get_token(token_label="archive")
    with token.open(user_pin=PIN, rw=True) as session:
        for name, one in (("above", world.seals.below), ("seal", identity)):
            kind = pkcs11.ObjectClass.CERTIFICATE
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: kind,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.LABEL: name,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.SUBJECT: one.asn1.subject.dump(),
                    pkcs11.Attribute.VALUE: one.der,
                }
            )
    assert made.certificates() == (identity.der, world.seals.below.der)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("pkcs11:object=seal", "absolute path"),
        ("pkcs11:object=seal?module-path=lib.so", "absolute path"),
        ("pkcs11:token=a?module-path=/lib.so", "names the key"),
        ("pkcs11:object=a;pin-value=1234?module-path=/lib.so", "stands in no address"),
        ("pkcs11:object=a?module-path=/lib.so&pin-source=/pin", "stands in no address"),
        ("pkcs11:object=a;object=b?module-path=/lib.so", "each once"),
        ("pkcs11:object=a;colour=b?module-path=/lib.so", "may have"),
        ("pkcs11:object=a;type=public?module-path=/lib.so", "type=private"),
        ("pkcs11:object=a;slot-id=x?module-path=/lib.so", "is a number"),
        ("pkcs11:object=%ff?module-path=/lib.so", "not UTF-8"),
        ("pkcs11:object=a?module-path=/absent/lib.so", "no PKCS #11 module"),
    ],
)
def test_an_address_that_leads_to_no_module_is_explained(address: str, said: str) -> None:
    """When the settings are read."""
    from signing.pkcs11_key import Pkcs11Address, Pkcs11Key

    with pytest.raises(SettingsError, match=said) as caught:
        Pkcs11Key(Pkcs11Address.parse(address), lambda: PIN)
    assert "1234" not in str(caught.value)


def test_a_module_that_hangs_is_not_waited_for(hsm: SoftHsm) -> None:
    """The call costs its time-out, and the next one is not made on top of it."""
    import threading
    import time

    from signing.pkcs11_key import _Module

    stuck, module = threading.Event(), _Module(str(hsm.folder / "none"))
    started = time.monotonic()
    with pytest.raises(SealKeyUnavailableError, match="no answer within"):
        module.call(lambda: stuck.wait(30), 0.1)
    with pytest.raises(SealKeyUnavailableError, match="has not come back"):
        module.call(lambda: None, 0.1)
    assert time.monotonic() - started < 2
    stuck.set()
    assert module.call(lambda: "back", 5.0) == "back"
