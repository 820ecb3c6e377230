"""Seals from a remote sealing service (CSC 1.0.4 and 2.0), over real HTTP: there, away, lying, refusing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive_core.errors import SealKeyUnavailableError, SettingsError
from archive_core.findings import Verdict
from signing.csc_key import CscAccount, CscKey
from signing.key_devices import ECDSA, PSS
from tests.fakes.seal_authority import SealAuthority
from tests.fakes.sealing_service import CREDENTIAL, PASSWORD, SERVICE_PIN, USER, SealingService
from tests.hsm import key
from tests.integration.test_seal_keys import SealedWorld, signature_of
from tests.unit.signing import forge

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SealedWorld]:
    monkeypatch.setenv("TEST_CSC_PASSWORD", PASSWORD)
    monkeypatch.setenv("TEST_CSC_PIN", SERVICE_PIN)
    authority = SealAuthority(lambda: datetime.now(UTC))
    with authority.listening():
        made = SealedWorld(tmp_path, authority)
        yield made
        made.archive.close()


def settings(world: SealedWorld, address: str, login: str = "basic") -> str:
    return (
        f'key = "{address}"\nlogin = "{login}"\nuser = "{USER}"\npassword = "env:TEST_CSC_PASSWORD"\n'
        f'pin = "env:TEST_CSC_PIN"\nfetch = ["{world.seals.url}"]\n'
    )


@pytest.mark.parametrize(
    ("version", "kind", "login", "scheme"),
    [(1, "p384", "basic", "sha512_ecdsa"), (2, "rsa3072", "oauth", "rsassa_pss"), (2, "p384", "basic", "sha512_ecdsa")],
)
@pytest.mark.slow
def test_a_service_seals(world: SealedWorld, version: int, kind: str, login: str, scheme: str) -> None:
    """Both versions, both ways in, both kinds of key; only digests go out."""
    service = SealingService(version, world.seals.identity(key(kind)))
    with service.listening() as address:
        world.use(settings(world, address, login))
        poid = world.deposit({"a.txt": b"sealed far away"}).poid
        world.preserve()
        assert signature_of(world.receipt(poid).seal) == scheme
        assert world.verdict(poid) is Verdict.PASSED
        assert service.asked.count("signatures/signHash") == 1


def test_a_service_that_is_away_or_lies_stops_sealing_until_it_does_not(world: SealedWorld) -> None:
    """Deposits go on; what it gave wrongly is not used; it goes on with a token that has to be asked for anew."""
    service = SealingService(1, world.seals.identity(key("p384")))
    with service.listening() as address:
        world.use(settings(world, address))
        service.away = True
        poid = world.deposit({"a.txt": b"waits"}).poid
        assert "503" in str(world.round()[0].error)
        service.away, service.lies = False, True
        assert "SIG_CRYPTO_FAILURE" in str(world.round()[0].error)
        assert world.status()["seal_key"]["failures"] == 2
        service.lies = False
        service.tokens.clear()
        assert [view.error for view in world.round()] == [None]
        assert world.verdict(poid) is Verdict.PASSED


@pytest.mark.slow
def test_an_absent_service_stops_no_start(world: SealedWorld) -> None:
    """The archive opens and takes deposits; sealing says who does not answer."""
    world.use(settings(world, "csc:http://127.0.0.1:9/csc/v1"))
    world.deposit({"a.txt": b"waits"})
    assert "127.0.0.1:9" in str(world.round()[0].error)


@contextmanager
def device(version: int = 1, **changes: Any) -> Iterator[tuple[SealingService, CscKey]]:
    service = SealingService(version, forge.issued("Seal", forge.authority(), key=key("p384")))
    for name, value in changes.items():
        setattr(service, name, value)
    account = CscAccount("basic", USER, lambda: PASSWORD, lambda: SERVICE_PIN)
    with service.listening() as address:
        yield service, CscKey(address, account)


def test_the_only_credential_of_an_account_need_not_be_named() -> None:
    """Certificates come with the chain, and the schemes are those of the key."""
    with device(2) as (service, made):
        certificate, above = made.certificates()
        assert certificate == service.identity.der
        assert above == service.identity.chain[0].public_bytes(forge.DER)
        assert made.schemes() == {ECDSA}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"credentials": [CREDENTIAL, "another"]}, "exactly one credential"),
        ({"credentials": []}, "exactly one credential"),
        ({"status": "disabled"}, "disabled"),
        ({"mode": "oauth2code"}, "needs a person"),
    ],
)
def test_a_credential_that_cannot_be_used_is_explained(changes: dict[str, Any], said: str) -> None:
    """Before anything is sealed."""
    with device(**changes) as (_, made), pytest.raises((SettingsError, SealKeyUnavailableError), match=said):
        made.certificates()


def test_a_wrong_pin_is_sent_once() -> None:
    """A credential locks after a few."""
    with device(pin="another") as (service, made):
        for _ in range(3):
            with pytest.raises(SealKeyUnavailableError) as caught:
                made.sign(bytes(64), "sha512", ECDSA)
            assert SERVICE_PIN not in str(caught.value)
        assert service.asked.count("credentials/authorize") == 1


def test_a_service_that_lets_us_not_in_is_a_failure_without_the_password() -> None:
    """The user is named, the password is not."""
    service = SealingService(1, forge.issued("Seal", forge.authority(), key=key("p384")))
    with service.listening() as address:
        made = CscKey(address, CscAccount("basic", USER, lambda: "wrong-password", None))
        with pytest.raises(SealKeyUnavailableError, match="lets 'archive' not in") as caught:
            made.certificates()
    assert "wrong-password" not in str(caught.value)
    assert "wrong-password" not in repr(made)


@pytest.mark.parametrize("digest", ["sha3-512", "sha1"])
def test_a_digest_that_no_service_takes_is_a_settings_error(digest: str) -> None:
    """Said, and not turned into another one."""
    with device() as (_, made), pytest.raises((SettingsError, KeyError)):
        made.sign(bytes(64), digest, PSS)


@pytest.mark.parametrize("address", ["csc:ftp://a/", "csc:", "csc:https://user:pw@host/csc/v1", "csc:https://h:x/v1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """When the settings are read."""
    with pytest.raises(SettingsError) as caught:
        CscKey(address, CscAccount())
    assert "pw" not in str(caught.value)
