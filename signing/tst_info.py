"""The contents of an RFC 3161 time-stamp token: TSTInfo (RFC 3161 2.4.2).

Rules kept here
 * Every field is read once, eagerly; what cannot be read is FAILED/FORMAT_FAILURE.
 * genTime is UTC with `Z` and may have a fraction; digits beyond microseconds are cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import core, tsp, x509

from archive_core.digests import Digest
from signing import ber
from signing.cms import OID_TST_INFO, SignedMessage
from signing.judgement import malformed, reading
from signing.signature_math import UnsupportedAlgorithmError, digest_name

_GEN_TIME = re.compile(rb"(\d{14})(?:\.(\d{1,30}))?Z")


@dataclass(frozen=True)
class TstInfo:
    """What the authority states. `accuracy` is None when it states none.

    `imprint` is None when its algorithm is not known here; `imprint_algorithm` then names it.
    """

    policy: str
    imprint: Digest | None
    imprint_algorithm: str
    serial_number: int
    gen_time: datetime
    accuracy: timedelta | None
    nonce: int | None
    tsa: x509.GeneralName | None
    critical_extensions: frozenset[str]


def parse_gen_time(contents: bytes) -> datetime:
    """A GeneralizedTime's contents as RFC 3161 has them; raises ValueError."""
    match = _GEN_TIME.fullmatch(contents)
    if match is None:
        raise ValueError(f"genTime {contents[:40]!r} is not YYYYMMDDhhmmss[.s…]Z")
    whole = datetime.strptime(match[1].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole + timedelta(microseconds=int((match[2] or b"0").ljust(6, b"0")[:6]))


def peek_gen_time(message: SignedMessage) -> datetime | None:
    """genTime alone, for reports about tokens that are otherwise not understood."""
    try:
        fields = ber.children(ber.element(message.content or b"").contents)
        return parse_gen_time(fields[4].contents)
    except (ValueError, IndexError):
        return None


def parse_tst_info(message: SignedMessage) -> TstInfo:
    """Raises `Judgement` when it is malformed."""
    if message.content_type != OID_TST_INFO:
        raise malformed(f"the content type is {message.content_type}, not id-ct-TSTInfo")
    if message.content is None:
        raise malformed("the token has no content")
    with reading("the TSTInfo"):
        info = tsp.TSTInfo.load(message.content, strict=True)
        gen_time = parse_gen_time(info["gen_time"].contents)
        if int(core.Integer.load(info["version"].dump()).native) != 1:
            raise malformed("TSTInfo version is not 1")
        imprint, algorithm = _imprint(info["message_imprint"])
        return TstInfo(
            policy=str(info["policy"].native),
            imprint=imprint,
            imprint_algorithm=algorithm,
            serial_number=int(info["serial_number"].native),
            gen_time=gen_time,
            accuracy=_accuracy(info["accuracy"]),
            nonce=info["nonce"].native,
            tsa=None if isinstance(info["tsa"], core.Void) else info["tsa"],
            critical_extensions=frozenset(
                str(extension["extn_id"].dotted) for extension in info["extensions"] if extension["critical"].native
            )
            if not isinstance(info["extensions"], core.Void)
            else frozenset(),
        )


def _imprint(value: tsp.MessageImprint) -> tuple[Digest | None, str]:
    octets = value["hashed_message"].native
    try:
        algorithm = digest_name(value["hash_algorithm"])
    except UnsupportedAlgorithmError as error:
        return None, str(error)
    return Digest(algorithm, octets), algorithm


def _accuracy(value: core.Asn1Value) -> timedelta | None:
    if isinstance(value, core.Void):
        return None
    seconds, millis, micros = (value[part].native or 0 for part in ("seconds", "millis", "micros"))
    if seconds < 0 or not 0 <= millis <= 999 or not 0 <= micros <= 999:
        raise malformed("the accuracy is out of its range")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)
