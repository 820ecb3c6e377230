"""The store in a bucket keeps the promises of a store, on real servers: Ceph 16, which honours no conditions on
writes, and VersityGW, which does."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from archive_core.errors import SettingsError, StoreUnavailableError
from archive_core.ports import ObjectStore
from storage_backends.s3 import S3Store
from storage_backends.s3_bucket import Bucket
from storage_backends.s3_capabilities import Capabilities, probed
from storage_backends.s3_client import S3Place
from tests.conformance.store_suite import StoreSuite, new_file
from tests.ports import free_port
from tests.s3.ceph import S3Server


@pytest.fixture(scope="session")
def s3_place(s3_server: S3Server) -> S3Place:
    """A bucket of the session's server, with versions."""
    return s3_server.new_bucket("suite")


@pytest.fixture(scope="session")
def s3_capabilities(s3_place: S3Place) -> Capabilities:
    """What the session's server can do."""
    return probed(Bucket("suite", s3_place), "suite.beside/")


@pytest.mark.slow
class TestS3Store(StoreSuite):
    """The behavioural suite on a bucket of a real server."""

    @pytest.fixture
    def store(self, s3_place: S3Place, s3_capabilities: Capabilities) -> Iterator[ObjectStore]:
        place = replace(s3_place, prefix=f"root-{uuid.uuid4().hex[:12]}")
        store = S3Store("bucket", place, capabilities=s3_capabilities)
        yield store
        store.close()

    def unplug(self, store: ObjectStore) -> None:
        assert isinstance(store, S3Store)
        store.bucket.close()
        store.bucket.place = replace(store.bucket.place, endpoint=f"http://127.0.0.1:{free_port()}", attempts=1)


@pytest.fixture(scope="module")
def second_place(second_s3_server: S3Server) -> S3Place:
    """A bucket of the second server."""
    return second_s3_server.new_bucket("second")


@pytest.fixture(scope="module")
def second_capabilities(second_place: S3Place) -> Capabilities:
    """What the second server can do: writes there carry conditions and no lease is taken."""
    found = probed(Bucket("second", second_place), "second.beside/")
    assert (found.versions, found.conditions, found.sha256) == (True, True, True)
    return found


@pytest.mark.soak
class TestS3StoreWithConditions(TestS3Store):
    """The same suite where the server compares before it writes."""

    @pytest.fixture
    def store(self, second_place: S3Place, second_capabilities: Capabilities) -> Iterator[ObjectStore]:
        place = replace(second_place, prefix=f"root-{uuid.uuid4().hex[:12]}")
        store = S3Store("bucket", place, capabilities=second_capabilities)
        yield store
        store.close()


@pytest.mark.slow
def test_ceph_is_found_to_honour_no_conditions(s3_capabilities: Capabilities) -> None:
    """The probe says what this server does: versions are kept, a wrong MD5 is refused, `If-None-Match` is ignored."""
    assert (s3_capabilities.versions, s3_capabilities.conditions, s3_capabilities.md5) == (True, False, True)


@pytest.mark.slow
def test_a_bucket_in_which_a_lost_race_could_not_be_seen_is_refused(s3_server: S3Server) -> None:
    """Neither versions nor conditions: two writers could both believe that they won."""
    place = s3_server.new_bucket("plain", versions=False)
    with pytest.raises(SettingsError, match="switch versioning on"):
        S3Store("bucket", place).put_new([new_file("a", b"1")])


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_an_outage(s3_server: S3Server) -> None:
    """And not an empty store."""
    store = S3Store("bucket", s3_server.place("nobody-made-this"))
    for verb in (lambda: store.stat("a"), lambda: list(store.list()), lambda: store.open("a")):
        with pytest.raises(StoreUnavailableError) as caught:
            verb()
        assert type(caught.value) is StoreUnavailableError
    stranger = S3Store("bucket", replace(s3_server.new_bucket("wrong"), secret_key=lambda: "wrong"))
    with pytest.raises(StoreUnavailableError, match="secret key"):
        stranger.children()
