"""Documents signed on the spot by a local test trust: what examinations of our own making are made of."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import cms, core, keys, tsp, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import _iso32004_asn1
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from archive_core.ports import ValidationData
from policies import current_algorithms
from signing import ber
from signing.examination.cms_reading import parse_signed_data
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Examination
from signing.keys import load_key
from signing.local_trust import LocalTrust, create_local_trust
from signing.waiting import completed
from tests.unit.signing.forge import Identity
from tests.world import SteppingClock

assert _iso32004_asn1
if (names := cms.CMSAttributeType._reverse_map) is not None:  # pyHanko enters its name there the wrong way round
    names.pop("1.0.32004.1.2", None)
    names["pdf_mac_data"] = "1.0.32004.1.2"

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Stamper(timestamps.TimeStamper):
    """pyHanko's time-stamper over a local authority that answers in this process."""

    def __init__(self, trust: LocalTrust, at: datetime, name: str = "local-tsa-1") -> None:
        super().__init__()
        self._respond = trust.responder(name, SteppingClock(at)).respond

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return tsp.TimeStampResp.load(self._respond(req.dump()))


@dataclass(frozen=True)
class World:
    """A local test trust made a day before NOW, and its seal key as a signer."""

    local: LocalTrust

    @classmethod
    def made(cls, directory: Path) -> World:
        return cls(create_local_trust(directory, at=NOW - DAY))

    def signer(self) -> signers.SimpleSigner:
        key = load_key(self.local.seal_key_address, certificates=self.local.seal_certificate_file)
        store = SimpleCertificateStore()
        store.register_multiple([x509.Certificate.load(der) for der in key.chain])
        return signers.SimpleSigner(
            signing_cert=x509.Certificate.load(key.certificate),
            signing_key=keys.PrivateKeyInfo.load(key.private_key),
            cert_registry=store,
        )

    def signer_certificate(self) -> pyca.Certificate:
        return pyca.load_pem_x509_certificate(self.local.seal_certificate_file.read_bytes())

    # -- signing ------------------------------------------------------------------------------

    def cms(self, content: bytes, *, detached: bool = False, stamped: bool = False, at: datetime = NOW) -> bytes:
        stamper = Stamper(self.local, at) if stamped else None
        message = completed(
            self.signer().async_sign_general_data(
                content, "sha512", detached=detached, use_cades=True, timestamper=stamper
            )
        )
        return bytes(message.dump())

    def pdf(
        self,
        source: bytes | None = None,
        *,
        field: str = "Signature1",
        stamped: bool = False,
        certify: fields.MDPPerm | None = None,
        owner: str = "",
        at: datetime = NOW,
    ) -> bytes:
        """A signed PDF; `certify` makes it a certification that permits no more than that. `owner` is the password
        of an encrypted source."""
        metadata = signers.PdfSignatureMetadata(
            field_name=field,
            md_algorithm="sha512",
            subfilter=fields.SigSeedSubFilter.PADES,
            certify=certify is not None,
            docmdp_permissions=certify or fields.MDPPerm.FILL_FORMS,
        )
        stamper = Stamper(self.local, at) if stamped else None
        writer = IncrementalPdfFileWriter(io.BytesIO(source if source is not None else plain_pdf()))
        if owner:
            writer.encrypt(owner)
        out = completed(signers.PdfSigner(metadata, self.signer(), timestamper=stamper).async_sign_pdf(writer))
        return bytes(out.getbuffer())

    def document_stamped(self, source: bytes, *, at: datetime = NOW) -> bytes:
        writer = IncrementalPdfFileWriter(io.BytesIO(source))
        out = completed(PdfTimeStamper(Stamper(self.local, at)).async_timestamp_pdf(writer, "sha512"))
        return bytes(out.getbuffer())

    # -- examining ----------------------------------------------------------------------------

    def trust(self, at: datetime = NOW, *, material: ValidationData | None = None) -> ExaminationTrust:
        """The test CA and a revocation list of that moment."""
        given = material or ValidationData(crls=(self.local.crl(at),))
        return ExaminationTrust((), algorithms=current_algorithms(), test_anchors=(self.local.anchor,), extra=given)

    def examined(
        self,
        octets: bytes,
        *detached: bytes,
        at: datetime = NOW,
        material: ValidationData | None = None,
        trusted: bool = True,
    ) -> Examination:
        trust = self.trust(at, material=material) if trusted else nobody()
        data = [Document(f"data {index}", one) for index, one in enumerate(detached, start=1)]
        return examine(Document("document", octets), detached=data, trust=trust, at=at)

    def crl(self, at: datetime, *, revoked: datetime | None = None) -> bytes:
        """A list of that moment, which says since when the seal certificate is revoked."""
        authority = self.local._identities["test-ca"]
        builder = (
            pyca.CertificateRevocationListBuilder()
            .issuer_name(authority.certificate.subject)
            .last_update(at)
            .next_update(at + 30 * DAY)
        )
        if revoked is not None:
            builder = builder.add_revoked_certificate(
                pyca.RevokedCertificateBuilder()
                .serial_number(self.signer_certificate().serial_number)
                .revocation_date(revoked)
                .build()
            )
        key = serialization.load_pem_private_key((self.local.directory / "test-ca-key.pem").read_bytes(), None)
        return builder.sign(key, hashes.SHA512()).public_bytes(serialization.Encoding.DER)  # type: ignore[arg-type]


def cms_by(identity: Identity, content: bytes, *chain: Identity, detached: bool = False) -> bytes:
    """A CMS signature of now by an identity, with its certificate and these others."""
    private = identity.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    store = SimpleCertificateStore()
    store.register_multiple([x509.Certificate.load(one.der) for one in chain])
    signer = signers.SimpleSigner(
        signing_cert=x509.Certificate.load(identity.der),
        signing_key=keys.PrivateKeyInfo.load(private),
        cert_registry=store,
    )
    return bytes(completed(signer.async_sign_general_data(content, "sha256", detached=detached)).dump())


def nobody() -> ExaminationTrust:
    """Trusts nobody."""
    return ExaminationTrust((), algorithms=current_algorithms())


def plain_pdf(attachment: int = 0, *, text: bytes = b"BT /F1 12 Tf 20 80 Td (Hello) Tj ET") -> bytes:
    """One page; with `attachment` so many random octets in a stream of their own."""
    writer = PdfFileWriter(stream_xrefs=False)
    contents = writer.add_object(generic.StreamObject(stream_data=text))
    writer.insert_page(
        PageObject(contents=contents, media_box=generic.ArrayObject(map(generic.NumberObject, (0, 0, 200, 100))))
    )
    if attachment:
        stream = writer.add_object(generic.StreamObject(encoded_data=os.urandom(attachment)))
        writer.root[pdf_name("/Attached")] = stream
        writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def encrypted_pdf(user_password: bytes) -> bytes:
    """One page; the owner's password is `owner`."""
    writer = PdfFileWriter(stream_xrefs=False)
    contents = writer.add_object(generic.StreamObject(stream_data=b"q Q"))
    box = generic.ArrayObject(map(generic.NumberObject, (0, 0, 200, 100)))
    writer.insert_page(PageObject(contents=contents, media_box=box))
    writer.encrypt("owner", user_password.decode())
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def changed(source: bytes, text: bytes = b"BT /F1 12 Tf 20 80 Td (Pay 9,000) Tj ET") -> bytes:
    """The PDF with another text on its page, as an incremental update."""
    writer = IncrementalPdfFileWriter(io.BytesIO(source))
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    page[pdf_name("/Contents")] = writer.add_object(generic.StreamObject(stream_data=text))
    writer.mark_update(writer.root["/Pages"]["/Kids"].raw_get(0))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def flipped(octets: bytes, position: int, bit: int = 0) -> bytes:
    """The same octets with one bit changed."""
    found = bytearray(octets)
    found[position] ^= 1 << bit
    return bytes(found)


def token_of(message: bytes) -> bytes:
    """The signature time-stamp of a CMS."""
    signer = cms.ContentInfo.load(message)["content"]["signer_infos"][0]
    found = next(one for one in signer["unsigned_attrs"] if one["type"].native == "signature_time_stamp_token")
    return bytes(found["values"][0].dump())


def with_signers(message: bytes, signers_: list[bytes]) -> bytes:
    """The message with these SignerInfos and no others; every other octet stays."""
    kind, wrapped = ber.children(ber.element(message).contents)
    (data,) = ber.children(wrapped.contents)
    fields_ = [one.raw for one in ber.children(data.contents)]
    fields_[-1] = ber.tagged(0x31, b"".join(signers_))
    inner = ber.tagged(0x30, b"".join(fields_))
    return ber.tagged(0x30, kind.raw + ber.tagged(0xA0, inner))


def with_unsigned(message: bytes, oid: str, values: list[bytes]) -> bytes:
    """The message whose first signer has this one unsigned attribute."""
    signer = parse_signed_data(message).signers[0]
    attribute = ber.tagged(0x30, core.ObjectIdentifier(oid).dump() + ber.tagged(0x31, b"".join(values)))
    return with_signers(message, [ber.tagged(0x30, b"".join(signer.fields) + ber.tagged(0xA1, attribute))])
