"""How an S3-compatible server is reached, and what its errors are called here.

Rules kept here
 * The only module that knows botocore; it loads when the first bucket is opened. No exception of it gets out.
 * Nothing comes from the surroundings: no environment variable, no ~/.aws, no proxy that was not asked for.
 * Whether a request without an answer was carried out, nobody knows: `StoreUnavailableError`, assume both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archive_core.errors import SettingsError, StoreUnavailableError

USER_AGENT = "trusted-archive"
"""Said with each request; the library's own word is put together anew for each, a tenth of what a request costs."""
LARGE = 1024 * 1024
"""Bytes of a body from which on the server is asked whether it wants it (`Expect: 100-continue`): with less, asking
takes as long as the body."""


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where a store lies and how it is asked. `endpoint` empty means Amazon's own for the region.

    The two keys are asked for when the first request is made. Times are in seconds; `attempts` counts the first one.
    `ca_file` is a PEM file of authorities, empty for the system's.
    """

    bucket: str
    prefix: str
    access_key: Callable[[], str]
    secret_key: Callable[[], str]
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    ca_file: str = ""
    proxy: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    attempts: int = 3
    connections: int = 16


class NotThereError(StoreUnavailableError):
    """There is no object under that key."""


class NotAsExpectedError(StoreUnavailableError):
    """The condition of a write does not hold (any more)."""


class RefusedError(StoreUnavailableError):
    """The server does not permit that: a lock, or missing rights."""


def new_client(place: S3Place, store: str) -> Any:
    """A client that knows nothing but what the place says; raises `SettingsError` for what it cannot be made of."""
    import boto3
    import botocore.config
    import botocore.exceptions
    import botocore.handlers
    import botocore.session

    session = botocore.session.Session()
    for name, (_, _, default, convert) in list(session.session_var_map.items()):
        session.session_var_map[name] = (None, None, default, convert)
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    if place.ca_file and not os.path.isfile(place.ca_file):
        raise SettingsError("the file of authorities for a store is not there", store=store, file=place.ca_file)
    try:
        client = boto3.Session(botocore_session=session).client(
            "s3",
            endpoint_url=place.endpoint or None,
            region_name=place.region,
            aws_access_key_id=place.access_key(),
            aws_secret_access_key=place.secret_key(),
            verify=place.ca_file or True,
            config=botocore.config.Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if place.path_style else "virtual"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=place.connect_timeout,
                read_timeout=place.read_timeout,
                retries={"mode": "standard", "total_max_attempts": place.attempts},
                max_pool_connections=2 * place.connections,
                proxies={"http": place.proxy, "https": place.proxy} if place.proxy else {},
                ignore_configured_endpoint_urls=True,
                user_agent=USER_AGENT,
            ),
        )
    except (ValueError, botocore.exceptions.BotoCoreError) as error:
        raise SettingsError(f"the S3 store {store} cannot be opened: {error}", store=store) from error
    ask = botocore.handlers.add_expect_header

    def ask_where_large(params: dict[str, Any], **more: Any) -> None:
        if _size_of(params.get("body")) > LARGE:
            ask(params=params, **more)

    client.meta.events.unregister("before-call.s3", ask)
    client.meta.events.register("before-call.s3", ask_where_large)
    return client


def _size_of(body: Any) -> int:
    """The bytes of a request's body, which is bytes or a stream at its beginning."""
    if body is None or isinstance(body, bytes | bytearray):
        return len(body or b"")
    size = int(body.seek(0, os.SEEK_END))
    body.seek(0)
    return size


_ABSENT = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404", "NoSuchObjectLockConfiguration"} | {
    "ObjectLockConfigurationNotFoundError"
}
_NOT_AS_EXPECTED = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
_REFUSED = {"AccessDenied", "403", "InvalidRequest", "InvalidBucketState", "ObjectLocked", "MalformedXML"} | {
    "MethodNotAllowed",
    "InvalidRetentionPeriod",
    "InvalidArgument",
    "NotImplemented",
}
_PLAINLY = {
    "RequestTimeTooSkewed": "the clocks of this machine and of the server are too far apart",
    "NoSuchBucket": "the bucket is not there",
    "InvalidAccessKeyId": "the server does not know the access key",
    "SignatureDoesNotMatch": "the secret key is not the one that the server knows",
}


def translated(error: Exception, store: str, verb: str, key: str) -> Exception:
    """The error of ours that says what a library's error says; what is none of theirs comes back as it is."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    facts: dict[str, Any] = {"store": store, "verb": verb} | ({"key": ascii(key)[:300]} if key else {})
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = _PLAINLY.get(code) or str(error.response.get("Error", {}).get("Message") or code)
        kind: type[StoreUnavailableError] = StoreUnavailableError
        if code in _ABSENT:
            kind = NotThereError
        elif code in _NOT_AS_EXPECTED:
            kind = NotAsExpectedError
        elif code in _REFUSED or status in (403, 501):
            kind = RefusedError if code not in _PLAINLY else StoreUnavailableError
        return kind(f"store {store} failed to {verb}: {said} ({code or status})", error=code, status=status, **facts)
    if isinstance(error, BotoCoreError | HTTPError | OSError):
        return StoreUnavailableError(
            f"store {store} failed to {verb}: {error}"[:400], error=type(error).__name__, **facts
        )
    return error
