"""TSP-01: the client believes no answer that does not echo what it asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from archive_core.digests import Digest
from archive_core.errors import TimestampAuthorityUnavailableError, TimestampRefusedError
from archive_core.ports import TimestampAuthority
from signing import ber
from signing.tsa import MAX_ANSWER, TsaClient
from tests.unit.signing import forge
from tests.unit.signing.conftest import World
from tests.unit.signing.fake_tsa import FakeTsa, response
from tests.unit.signing.forge import Recipe

IMPRINT = Digest.of("sha512", b"the stamped root")
OTHER = Digest.of("sha512", b"another root")


def test_an_honest_answer_becomes_a_token(world: World) -> None:
    """The token is handed out as received, with what it states."""
    authority = FakeTsa(world.unit)
    client: TimestampAuthority = TsaClient("tsa", authority, policy="2.999.5", test_trust=True)
    token = client.timestamp(IMPRINT)
    assert (token.imprint, token.gen_time, token.tsa, token.test_trust) == (IMPRINT, forge.NOW, "tsa", True)
    assert ber.element(token.der).raw == token.der
    assert set(client.validation_data(token.der).certificates) == {world.unit.der, world.root.der}


def test_the_request_says_what_it_must(world: World) -> None:
    """Version 1, SHA-512 imprint, policy, certificate wanted, and a nonce of at least 64 bits."""
    authority = FakeTsa(world.unit)
    client = TsaClient("tsa", authority, policy="2.999.5")
    for _ in range(20):
        client.timestamp(IMPRINT)
    asked = authority.seen[0]
    assert asked["version"].native == "v1"
    assert asked["message_imprint"]["hash_algorithm"]["algorithm"].native == "sha512"
    assert asked["message_imprint"]["hashed_message"].native == IMPRINT.value
    assert asked["req_policy"].native == "2.999.5"
    assert asked["cert_req"].native is True
    nonces = {request["nonce"].native for request in authority.seen}
    assert len(nonces) == 20
    assert max(nonces).bit_length() > 100


@pytest.mark.parametrize("algorithm", ["sha384", "sha512", "sha3-512"])
def test_the_imprint_goes_out_with_its_own_algorithm(world: World, algorithm: str) -> None:
    """The line decides the algorithm, not the client."""
    imprint = Digest.of(algorithm, b"root")
    assert TsaClient("tsa", FakeTsa(world.unit)).timestamp(imprint).imprint == imprint


def test_granted_with_mods_is_granted(world: World) -> None:
    """RFC 3161 2.4.2: status 1 holds a token too."""
    assert TsaClient("tsa", FakeTsa(world.unit, status=1)).timestamp(IMPRINT).imprint == IMPRINT


Lie = dict[str, Any]
LIES: dict[str, tuple[str, Callable[[World], Lie]]] = {
    "another nonce": ("nonce", lambda w: {"edit": lambda r: r.but(nonce=r.nonce + 1)}),
    "no nonce": ("nonce", lambda w: {"edit": lambda r: r.but(nonce=None)}),
    "the negative nonce": ("nonce", lambda w: {"edit": lambda r: r.but(nonce=-r.nonce)}),
    "another imprint": ("imprint", lambda w: {"edit": lambda r: r.but(imprint=OTHER)}),
    "the imprint with another algorithm": (
        "imprint",
        lambda w: {"edit": lambda r: r.but(imprint=Digest("sha3-512", r.imprint.value))},
    ),
    "another policy": ("policy", lambda w: {"edit": lambda r: r.but(policy="2.999.6")}),
    "no certificate": ("certificate", lambda w: {"edit": lambda r: r.but(certificates=())}),
    "the certificate of somebody else": (
        "signer",
        lambda w: {"edit": lambda r: r.but(certificates=(w.root.certificate,))},
    ),
    "a broken signature": (
        "signer",
        lambda w: {"edit": lambda r: r.but(edit_signature=lambda s: s[:-1] + bytes([s[-1] ^ 1]))},
    ),
    "no signing certificate attribute": ("signer", lambda w: {"edit": lambda r: r.but(ess="none")}),
    "content that is no TSTInfo": ("format", lambda w: {"edit": lambda r: r.but(content_type="data")}),
    "yesterday's token": ("imprint", lambda w: {"wrap": lambda t: response(0, Recipe(w.unit, imprint=OTHER).token())}),
    "rejection with a token": ("status", lambda w: {"status": 2}),
    "rejection": ("status", lambda w: {"wrap": lambda t: response(2, None, "no time today")}),
    "waiting": ("status", lambda w: {"status": 3}),
    "an unknown status": ("status", lambda w: {"status": 77}),
    "granted without a token": ("format", lambda w: {"wrap": lambda t: response(0, None)}),
    "a bare token": ("format", lambda w: {"wrap": lambda t: t}),
    "octets after the answer": ("format", lambda w: {"wrap": lambda t: response(0, t) + b"\0"}),
    "octets inside after the token": ("format", lambda w: {"wrap": lambda t: response(0, t + b"\x05\x00")}),
    "a cut off answer": ("format", lambda w: {"wrap": lambda t: response(0, t)[:-1]}),
    "nothing": ("format", lambda w: {"wrap": lambda t: b""}),
    "garbage": ("format", lambda w: {"wrap": lambda t: b"\xff" * 3000}),
    "a web page": ("format", lambda w: {"wrap": lambda t: b"<html>200 OK</html>"}),
    "too much": ("size", lambda w: {"wrap": lambda t: b"\x30" * (MAX_ANSWER + 1)}),
    "indefinite lengths": ("format", lambda w: {"wrap": lambda t: b"\x30\x80" + response(0, t)[4:] + b"\0\0"}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_authority_is_refused_and_the_lie_is_named(world: World, lie: str) -> None:
    """Each echo is checked by itself, and the error says which one failed."""
    rule, told = LIES[lie]
    client = TsaClient("liar", FakeTsa(world.unit, **told(world)), policy="2.999.5")
    with pytest.raises(TimestampRefusedError, match="liar") as refusal:
        client.timestamp(IMPRINT)
    assert refusal.value.facts["rule"] == rule, str(refusal.value)


def test_what_the_authority_says_about_a_rejection_is_passed_on(world: World) -> None:
    """The operator sees the reason, quoted and bounded."""
    client = TsaClient("tsa", FakeTsa(world.unit, wrap=lambda t: response(2, None, "quota\n" + "x" * 5000)))
    with pytest.raises(TimestampRefusedError, match=r"rejection; 'quota\\nxxx") as refusal:
        client.timestamp(IMPRINT)
    assert len(str(refusal.value)) < 400


def test_without_a_configured_policy_any_policy_is_taken(world: World) -> None:
    """Nothing was asked, so nothing must be echoed."""
    client = TsaClient("tsa", FakeTsa(world.unit, edit=lambda r: r.but(policy="2.999.77")))
    assert client.timestamp(IMPRINT).imprint == IMPRINT


@pytest.mark.parametrize("error", [ConnectionRefusedError("no"), TimeoutError("late"), OSError("gone")])
def test_an_authority_out_of_reach_is_unavailable_and_not_refused(error: OSError) -> None:
    """The batch waits and is tried again."""

    def transport(request: bytes) -> bytes:
        raise error

    with pytest.raises(TimestampAuthorityUnavailableError, match="far away"):
        TsaClient("far away", transport).timestamp(IMPRINT)


@given(st.binary(max_size=400))
def test_no_answer_whatever_raises_anything_else(answer: bytes) -> None:
    """Arbitrary octets are refused, never a crash."""
    with pytest.raises(TimestampRefusedError):
        TsaClient("tsa", lambda request: answer).timestamp(IMPRINT)


def test_every_shortened_answer_is_refused(world: World) -> None:
    """A connection may break anywhere."""
    whole: list[bytes] = []
    honest = FakeTsa(world.unit)

    def record(request: bytes) -> bytes:
        whole.append(honest(request))
        return whole[-1]

    TsaClient("tsa", record).timestamp(IMPRINT)
    for length in range(0, len(whole[0]), 7):
        with pytest.raises(TimestampRefusedError):
            TsaClient("tsa", lambda request, n=length: whole[0][:n]).timestamp(IMPRINT)  # type: ignore[misc]


@pytest.mark.parametrize("status", [6, -1, 2**40, 2 ** (8 * 4096)], ids=["6", "-1", "2^40", "2^32768"])
def test_a_status_that_does_not_exist_is_refused(status: int) -> None:
    """Also one with more digits than Python writes out."""
    answer = ber.tagged(0x30, ber.tagged(0x30, core.Integer(status).dump()))
    with pytest.raises(TimestampRefusedError, match="of no known status") as refused:
        TsaClient("tsa", lambda _request: answer).timestamp(IMPRINT)
    assert refused.value.facts["rule"] == "status"
