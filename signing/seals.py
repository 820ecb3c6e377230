"""Seals with a key that this process can use: detached CAdES-B-B through pyHanko (EN 319 122-1).

Rules kept here
 * The seal holds the signer's certificate and its chain; it is detached and has no time-stamp of its
   own, because statement and seal lie under the batch's stamped root.
 * The claimed signing time is the caller's `at`, never the machine's clock; as UTCTime until 2049 and as
   GeneralizedTime from 2050 on (RFC 5652 11.3), which pyHanko alone would not do.
 * pyHanko is imported here and nowhere else; its event loop never leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Lock

from asn1crypto import cms, core, keys, x509
from pyhanko.sign import signers
from pyhanko.sign.attributes import (
    CMSAttributeProvider,
    SignedAttributeProviderSpec,
    SigningCertificateV2Provider,
)
from pyhanko.sign.general import SigningError
from pyhanko_certvalidator.registry import SimpleCertificateStore

from archive_core.errors import SealKeyUnavailableError
from archive_core.ports import Seal, ValidationData
from signing.keys import SigningKey
from signing.waiting import completed

DIGEST = "sha512"
"""What a seal digests with, unless it is told otherwise."""


class SoftwareSealer:
    """A `Sealer` over a key held in memory.

    `validation_source` gives chain and revocation data as of an instant; without one, validation data
    is the chain alone. `digest` is what seals digest with.
    """

    def __init__(
        self,
        key: SigningKey,
        *,
        test_trust: bool = False,
        validation_source: Callable[[datetime], ValidationData] | None = None,
        digest: str = DIGEST,
    ) -> None:
        self._digest = digest.replace("-", "_")
        self._test_trust = test_trust
        self._lock = Lock()  # asn1crypto objects are not for several threads
        self._validation_source = validation_source or (lambda _at: ValidationData((key.certificate, *key.chain)))
        certificates = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        certificates.register_multiple([x509.Certificate.load(der) for der in key.chain])
        self._certificate = certificate = x509.Certificate.load(key.certificate)
        self._signer = signers.SimpleSigner(
            signing_cert=certificate,
            signing_key=keys.PrivateKeyInfo.load(key.private_key),
            cert_registry=certificates,
            prefer_pss=certificate.public_key.algorithm == "rsa",
        )

    @property
    def test_trust(self) -> bool:
        return self._test_trust

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        try:
            with self._lock:
                self._signer.signed_attr_prov_spec = _Attributes(self._certificate, at)
                signed = bytes(completed(self._signed(content)).dump())
        except (SigningError, ValueError, TypeError, OSError) as error:
            raise SealKeyUnavailableError(f"the seal could not be made: {error}") from error
        return Seal(signed, self._validation_source(at), self._test_trust)

    async def _signed(self, content: bytes) -> cms.ContentInfo:
        return await self._signer.async_sign_general_data(content, self._digest, detached=True, use_cades=True)


class _Attributes(SignedAttributeProviderSpec):
    """What CAdES-B-B asks for beside content-type and message-digest (EN 319 122-1 6.3)."""

    def __init__(self, certificate: x509.Certificate, at: datetime) -> None:
        self._certificate = certificate
        self._at = at

    def signed_attr_providers(self, data_digest: bytes, digest_algorithm: str) -> Iterator[CMSAttributeProvider]:
        yield SigningCertificateV2Provider(signing_cert=self._certificate)
        yield _SigningTime(self._at)


class _SigningTime(CMSAttributeProvider):
    """The claimed time, in whole seconds."""

    attribute_type = "signing_time"

    def __init__(self, at: datetime) -> None:
        self._at = at.replace(microsecond=0)

    async def build_attr_value(self, dry_run: bool = False) -> cms.Time:
        if self._at.year < 2050:
            return cms.Time("utc_time", core.UTCTime(self._at))
        return cms.Time("generalized_time", core.GeneralizedTime(self._at))
