"""Seals with a key that this process can use: detached CAdES-B-B through pyHanko (EN 319 122-1).

Rules kept here
 * The seal holds the signer's certificate and its chain; it is detached and has no time-stamp of its
   own, because statement and seal lie under the batch's stamped root.
 * The claimed signing time is the caller's `at`, never the machine's clock.
 * pyHanko is imported here and nowhere else; its event loop never leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock

from asn1crypto import cms, keys, x509
from pyhanko.sign import signers
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko_certvalidator.registry import SimpleCertificateStore

from archive_core.errors import SealKeyUnavailableError
from archive_core.ports import Seal, ValidationData
from signing.keys import SigningKey
from signing.waiting import completed

_DIGEST = "sha512"


class SoftwareSealer:
    """A `Sealer` over a key held in memory.

    `validation_source` gives chain and revocation data as of an instant; without one, validation data
    is the chain alone.
    """

    def __init__(
        self,
        key: SigningKey,
        *,
        test_trust: bool = False,
        validation_source: Callable[[datetime], ValidationData] | None = None,
    ) -> None:
        self._test_trust = test_trust
        self._lock = Lock()  # asn1crypto objects are not for several threads
        self._validation_source = validation_source or (lambda _at: ValidationData((key.certificate, *key.chain)))
        certificates = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        certificates.register_multiple([x509.Certificate.load(der) for der in key.chain])
        certificate = x509.Certificate.load(key.certificate)
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
                signed = bytes(completed(self._signed(content, at)).dump())
        except (SigningError, ValueError, TypeError, OSError) as error:
            raise SealKeyUnavailableError(f"the seal could not be made: {error}") from error
        return Seal(signed, self._validation_source(at), self._test_trust)

    async def _signed(self, content: bytes, at: datetime) -> cms.ContentInfo:
        return await self._signer.async_sign_general_data(
            content,
            _DIGEST,
            detached=True,
            use_cades=True,
            signed_attr_settings=PdfCMSSignedAttributes(signing_time=at),
        )
