"""The store in a bucket keeps the promises of a store, on a real server (Ceph)."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from archive_core.ports import ObjectStore
from storage_backends.s3 import S3Store
from storage_backends.s3_bucket import Bucket
from storage_backends.s3_capabilities import Capabilities, probed
from storage_backends.s3_client import S3Place
from tests.conformance.store_suite import StoreSuite
from tests.s3.ceph import S3Server, free_port


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
