"""Seals: detached CAdES-B-B through pyHanko (EN 319 122-1), with a key in memory or one that is somewhere else.

Rules kept here
 * The seal holds the signer's certificate and its chain; it is detached and has no time-stamp of its
   own, because statement and seal lie under the batch's stamped root.
 * Chain and revocation data are collected when the seal is made and put inside it, where only lists and responses
   up to `MAX_INSIDE` bytes go: every receipt holds its batch's seal. All of it is kept beside the seal as well.
 * The claimed signing time is the caller's `at`, never the machine's clock; as UTCTime until 2049 and as
   GeneralizedTime from 2050 on (RFC 5652 11.3), which pyHanko alone would not do.
 * pyHanko is imported here and nowhere else; its event loop never leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from threading import Lock

from asn1crypto import cms, core, keys, x509
from asn1crypto.crl import CertificateList
from asn1crypto.ocsp import OCSPResponse
from pyhanko.sign import signers
from pyhanko.sign.attributes import (
    CMSAttributeProvider,
    SignedAttributeProviderSpec,
    SigningCertificateV2Provider,
)
from pyhanko.sign.general import SigningError
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from archive_core.digests import Digest, hash_bytes
from archive_core.errors import ArchiveError, SealKeyUnavailableError
from archive_core.evidence.material import merged
from archive_core.ports import JsonSeal, Seal, Sealer, StampDigest, ValidationData
from signing.file_key import FileKey
from signing.json_seals import json_seal
from signing.key_devices import KeyDevice, Mechanism, mechanism_for
from signing.keys import SigningKey
from signing.waiting import completed

DIGEST = "sha512"
"""What a seal digests with, unless it is told otherwise."""

_OF_PDF = "sha512"
"""What is signed in a PDF is digested with this."""

MAX_INSIDE = 64 * 1024
"""Bytes of a revocation list or response that is put into the seal itself."""

ValidationSource = Callable[[bytes, datetime], ValidationData]
"""Collects chain and revocation data for a seal (DER) that was made at an instant."""


class _CadesSealer:
    """What all sealers share; how the signature comes about is the signer's."""

    def __init__(self, *, test_trust: bool, source: ValidationSource, digest: str) -> None:
        self._digest = digest.replace("-", "_")
        self._test_trust = test_trust
        self._lock = Lock()  # asn1crypto objects are not for several threads
        self._source = source

    @property
    def test_trust(self) -> bool:
        return self._test_trust

    def in_force(self, at: datetime) -> Sealer:
        return self

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        try:
            with self._lock:
                signer = self._signer(self._digest)
                signer.signed_attr_prov_spec = _Attributes(signer.signing_cert, at)
                signed = completed(signer.async_sign_general_data(content, self._digest, detached=True, use_cades=True))
        except (SigningError, ValueError, TypeError, OSError) as error:
            raise SealKeyUnavailableError(f"the seal could not be made: {error}") from error
        data = self._source(bytes(signed.dump()), at)
        return Seal(_with_inside(signed, _small(data)), data, self._test_trust)

    def seal_json(self, content: bytes, *, at: datetime) -> JsonSeal:
        try:
            return json_seal(
                self._keyed(), content, at=at, source=self._source, test_trust=self._test_trust, digest=self._digest
            )
        except (ValueError, TypeError, OSError) as error:
            if isinstance(error, ArchiveError):
                raise
            raise SealKeyUnavailableError(f"the seal could not be made: {error}") from error

    def seal_digest(self, digest: bytes, *, at: datetime, stamp: StampDigest) -> Seal:
        stamper = _Stamper(stamp)
        try:
            with self._lock:
                signer = self._signer(_OF_PDF)
                signer.signed_attr_prov_spec = _NamingAttributes(signer.signing_cert)
                signed = completed(signer.async_sign(digest, _OF_PDF, use_pades=True, timestamper=stamper))
        except ArchiveError:
            raise  # of the time-stamp
        except (SigningError, ValueError, TypeError, OSError) as error:
            raise SealKeyUnavailableError(f"the seal could not be made: {error}") from error
        octets = bytes(signed.dump())
        return Seal(octets, merged([self._source(octets, at), *stamper.data]), self._test_trust)

    def _signer(self, digest: str) -> signers.Signer:
        """What signs over this digest, named as pyHanko does."""
        raise NotImplementedError

    def _keyed(self) -> KeyDevice:
        raise NotImplementedError


class SoftwareSealer(_CadesSealer):
    """A `Sealer` over a key held in memory.

    `validation_source` gives chain and revocation data as of an instant, `source` for a seal; without either,
    validation data is the chain alone. `digest` is what seals digest with.
    """

    def __init__(
        self,
        key: SigningKey,
        *,
        test_trust: bool = False,
        validation_source: Callable[[datetime], ValidationData] | None = None,
        source: ValidationSource | None = None,
        digest: str = DIGEST,
    ) -> None:
        def known(_seal: bytes, at: datetime) -> ValidationData:
            return validation_source(at) if validation_source else ValidationData((key.certificate, *key.chain))

        super().__init__(test_trust=test_trust, source=source or known, digest=digest)
        self._in_file = cache(lambda: FileKey(key))  # to read an RSA key is to check it, which takes its time
        certificate = x509.Certificate.load(key.certificate)
        self._made: signers.Signer | None = None
        if certificate.public_key.algorithm == "rsa":
            return  # pyHanko's signer reads the key for each signature
        self._made = signers.SimpleSigner(
            signing_cert=certificate,
            signing_key=keys.PrivateKeyInfo.load(key.private_key),
            cert_registry=_registry(key.chain),
        )

    def _signer(self, digest: str) -> signers.Signer:
        return self._made or _signer_of(self._in_file(), digest)

    def _keyed(self) -> KeyDevice:
        return self._in_file()


class DeviceSealer(_CadesSealer):
    """A `Sealer` over a key in hardware or at a service. What the device says of itself is asked at the first seal,
    and again after a failure, because it may be another by then."""

    def __init__(
        self,
        device: KeyDevice,
        *,
        test_trust: bool = False,
        source: ValidationSource | None = None,
        digest: str = DIGEST,
    ) -> None:
        def known(_seal: bytes, _at: datetime) -> ValidationData:
            return ValidationData(device.certificates())

        super().__init__(test_trust=test_trust, source=source or known, digest=digest)
        self._device = device

    def _signer(self, digest: str) -> signers.Signer:
        return _signer_of(self._device, digest)

    def _keyed(self) -> KeyDevice:
        return self._device


def _signer_of(device: KeyDevice, digest: str) -> signers.Signer:
    certificate, *chain = device.certificates()
    mechanism = mechanism_for(certificate, device.schemes(), digest.replace("_", "-"))
    return _DeviceSigner(device, certificate, tuple(chain), mechanism)


class _DeviceSigner(signers.Signer):
    """pyHanko's signer, whose signatures a device makes over digests."""

    def __init__(self, device: KeyDevice, certificate: bytes, chain: tuple[bytes, ...], mechanism: Mechanism) -> None:
        super().__init__(
            signing_cert=x509.Certificate.load(certificate),
            cert_registry=_registry(chain),
            signature_mechanism=mechanism.identifier,
        )
        self._device = device
        self._scheme = mechanism.scheme

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        name = digest_algorithm.replace("_", "-")
        return self._device.sign(hash_bytes(name, data), name, self._scheme)


def _registry(chain: tuple[bytes, ...]) -> SimpleCertificateStore:
    certificates = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    certificates.register_multiple([x509.Certificate.load(der) for der in chain])
    return certificates


def _with_inside(signed: cms.ContentInfo, data: ValidationData) -> bytes:
    """The seal with these in `certificates` and `crls` (RFC 5652 5.1), which no signature is over; responses as
    RFC 5940 has them."""
    body = signed["content"]
    held = {choice.chosen.dump() for choice in body["certificates"]}
    for der in data.certificates:
        if der not in held:
            body["certificates"].append(cms.CertificateChoices("certificate", x509.Certificate.load(der)))
    choices = [cms.RevocationInfoChoice("crl", CertificateList.load(der)) for der in data.crls]
    for der in data.ocsps:
        other = {"other_rev_info_format": "ocsp_response", "other_rev_info": OCSPResponse.load(der)}
        choices.append(cms.RevocationInfoChoice("other", cms.OtherRevocationInfoFormat(other)))
    if choices:
        body["crls"] = cms.RevocationInfoChoices(choices)
    if data.ocsps:
        body["version"] = "v5"
    return bytes(signed.dump())


def _small(data: ValidationData) -> ValidationData:
    """What goes inside the seal."""
    crls, ocsps = ([one for one in kind if len(one) <= MAX_INSIDE] for kind in (data.crls, data.ocsps))
    return ValidationData(data.certificates, tuple(crls), tuple(ocsps))


class _Attributes(SignedAttributeProviderSpec):
    """What CAdES-B-B asks for beside content-type and message-digest (EN 319 122-1 6.3)."""

    def __init__(self, certificate: x509.Certificate, at: datetime) -> None:
        self._certificate = certificate
        self._at = at

    def signed_attr_providers(self, data_digest: bytes, digest_algorithm: str) -> Iterator[CMSAttributeProvider]:
        yield SigningCertificateV2Provider(signing_cert=self._certificate)
        yield _SigningTime(self._at)


class _NamingAttributes(SignedAttributeProviderSpec):
    """What a PDF's baseline signature has: its time stands in the PDF (EN 319 142-1 6.3)."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    def signed_attr_providers(self, data_digest: bytes, digest_algorithm: str) -> Iterator[CMSAttributeProvider]:
        yield SigningCertificateV2Provider(signing_cert=self._certificate)


class _Stamper(TimeStamper):
    """pyHanko's time-stamper, whose tokens come through the archive's own port."""

    def __init__(self, stamp: StampDigest) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stamp = stamp
        self.data: list[ValidationData] = []

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        token = self._stamp(Digest(md_algorithm.replace("_", "-"), message_digest))
        self.data.append(token.data)
        return cms.ContentInfo.load(token.der)


class _SigningTime(CMSAttributeProvider):
    """The claimed time, in whole seconds."""

    attribute_type = "signing_time"

    def __init__(self, at: datetime) -> None:
        self._at = at.replace(microsecond=0)

    async def build_attr_value(self, dry_run: bool = False) -> cms.Time:
        if self._at.year < 2050:
            return cms.Time("utc_time", core.UTCTime(self._at))
        return cms.Time("generalized_time", core.GeneralizedTime(self._at))
