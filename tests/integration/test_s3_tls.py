"""A bucket behind TLS with a private authority: the right one is enough, and nothing else will do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_core.errors import SettingsError, StoreUnavailableError, UnavailableError
from tests.s3.ceph import S3Server
from tests.s3.homes import home_with_bucket
from tests.s3.tls import Authority, Front, behind_tls
from tests.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "private-ca")


@pytest.fixture(scope="module")
def front(s3_server: S3Server, authority: Authority) -> Iterator[Front]:
    with behind_tls(s3_server.endpoint, authority.server()) as running:
        yield running


def world_over(folder: Path, server: S3Server, endpoint: str, ca: str) -> World:
    """A world whose second store is reached at the address, trusting what is in the file."""
    more = f'ca_file = "{ca}"' if ca else ""
    home_with_bucket(folder, server.new_bucket("tls"), more=more, endpoint=endpoint)
    return World(folder)


def test_a_life_behind_tls_with_a_private_authority(
    tmp_path: Path, s3_server: S3Server, front: Front, authority: Authority
) -> None:
    """Deposit, a file in parts, evidence, audit, and reading from the bucket alone."""
    world = world_over(tmp_path, s3_server, front.endpoint, str(authority.file))
    large = bytes(range(256)) * 40_000
    told = world.deposit({"a.txt": b"over TLS", "large.bin": large})
    world.preserve()

    assert front.passed > 0
    assert world.audit().findings == []
    (tmp_path / "home" / "stores" / "one").rename(tmp_path / "gone")
    assert world.read(told.poid, "large.bin") == large
    world.archive.close()


@pytest.mark.parametrize("trusted", ["another authority", "the system's authorities"])
def test_a_server_of_an_unknown_authority_is_refused(
    tmp_path: Path, s3_server: S3Server, front: Front, trusted: str
) -> None:
    """Before anything is sent: the store is unavailable, and says why."""
    other = Authority(tmp_path, "other-ca").file if trusted == "another authority" else ""
    before = front.passed
    with pytest.raises(UnavailableError, match=r"(?i)certificate verify failed"):
        world_over(tmp_path, s3_server, front.endpoint, str(other))
    assert front.passed == before


@pytest.mark.parametrize(("address", "days"), [("127.0.0.2", 3), ("127.0.0.1", -1)], ids=["another name", "ended"])
def test_a_certificate_that_does_not_fit_is_refused(
    tmp_path: Path, s3_server: S3Server, authority: Authority, address: str, days: int
) -> None:
    """One for another address, and one that has ended, also of the right authority."""
    with (
        behind_tls(s3_server.endpoint, authority.server(address, days=days)) as running,
        pytest.raises(StoreUnavailableError, match=r"(?i)certificate verify failed|doesn't match"),
    ):
        world_over(tmp_path, s3_server, running.endpoint, str(authority.file))


def test_an_authority_that_is_not_there_is_a_setting_to_change(
    tmp_path: Path, s3_server: S3Server, front: Front
) -> None:
    """Nothing else is trusted in its place."""
    with pytest.raises(SettingsError, match="authorities"):
        world_over(tmp_path, s3_server, front.endpoint, "nowhere.pem")
