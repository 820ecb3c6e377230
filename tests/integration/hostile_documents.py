"""Documents that are meant to exhaust whoever looks for signatures in them, made on the spot."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable

from signing import ber

MIB = 1024 * 1024


def _zeros(size: int) -> bytes:
    """Deflated zeros, without ever holding them."""
    packer = zlib.compressobj(9)
    out = [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*out, packer.flush()])


def _pdf(objects: list[bytes], *, root: int = 1, trailer: bytes = b"") -> bytes:
    """A PDF with a table of references and these objects, numbered from 1."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root %d 0 R %b >>\n" % (len(objects) + 1, root, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def _signed_field(contents: bytes) -> bytes:
    value = b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 10 20 10] "
    return b"<< /FT /Sig /T (a) /V " + value + b"/Contents <" + contents.hex().encode() + b"> >> >>"


def references_that_inflate() -> bytes:
    """A stream of references whose 300 KB are 300 MiB, and which claims to be of as many objects."""
    packed = _zeros(300 * MIB)
    head = b"%PDF-1.7\n"
    body = b"1 0 obj\n<< /Type /XRef /Size 26000000 /W [1 8 7] /Root 2 0 R /Filter /FlateDecode /Length %d >>\nstream\n"
    return head + body % len(packed) + packed + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)


def objects_that_inflate() -> bytes:
    """A catalogue that lies in a stream of objects that inflates twice: some hundred octets are 128 MiB."""
    packed = zlib.compress(_zeros(128 * MIB), 9)
    stream = b"<< /Type /ObjStm /N 1 /First 10 /Filter [/FlateDecode /FlateDecode] /Length %d >>\nstream\n" % len(
        packed
    )
    out = b"%PDF-1.7\n"
    first = len(out)
    out += b"1 0 obj\n" + stream + packed + b"\nendstream\nendobj\n"
    start = len(out)
    rows = [(0, 0, 65535), (1, first, 0), (2, 1, 0), (1, start, 0)]
    table = b"".join(bytes([kind]) + one.to_bytes(4, "big") + two.to_bytes(2, "big") for kind, one, two in rows)
    out += b"3 0 obj\n<< /Type /XRef /Size 4 /W [1 4 2] /Root 2 0 R /Length %d >>\nstream\n" % len(table)
    return out + table + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


def references_in_a_circle() -> bytes:
    """Every revision's predecessor is itself."""
    out = _pdf([b"<< /Type /Catalog /AcroForm << /Fields [] >> >>"])
    start = out.index(b"xref\n")
    return _pdf([b"<< /Type /Catalog /AcroForm << /Fields [] >> >>"], trailer=b"/Prev %d" % start)


def fields_without_end() -> bytes:
    """A form whose field is its own child, with a signature that is none."""
    form = b"<< /Type /Catalog /Pages 3 0 R /AcroForm << /SigFlags 3 /Fields [2 0 R 4 0 R] >> >>"
    child = b"<< /T (a) /Kids [2 0 R 2 0 R] /Parent 2 0 R >>"
    return _pdf([form, child, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", _signed_field(bytes(40))])


def many_signatures() -> bytes:
    """Ten thousand fields, each with a signature that has to be looked at."""
    fields = [_signed_field(b"\x30\x80" + bytes(20))] * 10_000
    listed = b" ".join(b"%d 0 R" % number for number in range(2, len(fields) + 2))
    return _pdf([b"<< /Type /Catalog /AcroForm << /SigFlags 3 /Fields [" + listed + b"] >> >>", *fields])


def _container(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("mimetype", b"application/vnd.etsi.asic-e+zip", zipfile.ZIP_STORED)
        for name, content in entries.items():
            container.writestr(name, content)
    return out.getvalue()


def a_signature_that_inflates() -> bytes:
    """A container whose signature file is 100 MiB of white space."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("mimetype", b"application/vnd.etsi.asic-e+zip", zipfile.ZIP_STORED)
        with container.open("META-INF/signatures.xml", "w", force_zip64=True) as entry:
            for _ in range(100):
                entry.write(b" " * MIB)
        container.writestr("a.txt", b"a")
    return out.getvalue()


def many_manifests() -> bytes:
    """Twenty thousand manifests and signatures by name."""
    names = {f"META-INF/ASiCManifest{number}.xml": b"<a/>" for number in range(10_000)}
    return _container(names | {f"META-INF/signature{number}.p7s": b"\x30\x80" for number in range(10_000)})


def entries_that_overlap() -> bytes:
    """A directory that names one entry a thousand times."""
    octets = _container({"META-INF/signatures.xml": b"<a>" + b" " * MIB + b"</a>"})
    place = octets.index(b"PK\x01\x02")
    end = octets.index(b"PK\x05\x06")
    entries = octets[place:end]
    last = entries[entries.index(b"PK\x01\x02", 4) :]
    listed = entries + last * 1000
    tail = b"PK\x05\x06\0\0\0\0" + (1002).to_bytes(2, "little") * 2 + len(listed).to_bytes(4, "little")
    return octets[:place] + listed + tail + place.to_bytes(4, "little") + b"\0\0"


def a_message_nested_deep() -> bytes:
    """A hundred thousand constructed octet strings, each in the other, none with a length."""
    inside = b"\x24\x80" * 100_000 + b"\0\0" * 100_000
    return _message(inside)


def a_message_of_pieces() -> bytes:
    """Content in a million pieces of one octet."""
    return _message(b"\x24\x80" + b"\x04\x01a" * 1_000_000 + b"\0\0")


def a_message_of_many_signers() -> bytes:
    """A hundred thousand signers who are none."""
    signer = ber.tagged(0x30, b"\x02\x01\x01")
    return _message(b"\x04\x01a", ber.tagged(0x31, signer * 100_000))


def _message(content: bytes, signers: bytes = b"\x31\0") -> bytes:
    data = bytes.fromhex("06092a864886f70d010701")
    wrapped = ber.tagged(0x30, data + ber.tagged(0xA0, content))
    inner = ber.tagged(0x30, b"\x02\x01\x01" + b"\x31\0" + wrapped + signers)
    return ber.tagged(0x30, bytes.fromhex("06092a864886f70d010702") + ber.tagged(0xA0, inner))


def entities_that_multiply() -> bytes:
    """A billion laughs around a signature."""
    entities = b"".join(b'<!ENTITY a%d "%b">' % (n + 1, b"&a%d;" % n * 10) for n in range(9))
    text = b'<!DOCTYPE a [<!ENTITY a0 "ha">' + entities + b"]><a>&a9;"
    return text + b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></a>'


def transforms_that_multiply() -> bytes:
    """A signature whose references each ask for the whole of a large document to be made canonical."""
    space = "http://www.w3.org/2000/09/xmldsig#"
    canonical = '<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    digest = '<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><DigestValue>AAAA</DigestValue>'
    reference = f'<Reference URI=""><Transforms>{canonical * 8}</Transforms>{digest}</Reference>'
    signed = (
        '<SignedInfo><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"/>'
        f"{reference * 1000}</SignedInfo><SignatureValue>AAAA</SignatureValue>"
    )
    filling = "<b><c/></b>" * 100_000
    return f'<a>{filling}<Signature xmlns="{space}">{signed}</Signature></a>'.encode()


def brackets_without_end() -> bytes:
    """A JSON document a hundred thousand levels deep."""
    return b'{"payload":"AAAA","signatures":' + b"[" * 100_000


HOSTILE: dict[str, Callable[[], bytes]] = {
    "references-inflate.pdf": references_that_inflate,
    "objects-inflate.pdf": objects_that_inflate,
    "circle.pdf": references_in_a_circle,
    "fields.pdf": fields_without_end,
    "signatures.pdf": many_signatures,
    "inflates.asice": a_signature_that_inflates,
    "manifests.asice": many_manifests,
    "overlap.asice": entries_that_overlap,
    "deep.p7m": a_message_nested_deep,
    "pieces.p7m": a_message_of_pieces,
    "signers.p7m": a_message_of_many_signers,
    "laughs.xml": entities_that_multiply,
    "transforms.xml": transforms_that_multiply,
    "brackets.json": brackets_without_end,
}
