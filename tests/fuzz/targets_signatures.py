"""XML signatures, ASiC containers and trusted lists: what anybody may send in."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import cache
from io import BytesIO

from archive_core.findings import Verdict
from policies.algorithms import current_algorithms
from signing.examination import asic, xades
from signing.examination.documents import Document
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Examination
from signing.trusted_lists.qualification import load_lookup
from signing.trusted_lists.values import TrustedListRefusedError
from tests.fuzz import corpus
from tests.fuzz.target import target
from tests.unit.signing import forge
from tests.unit.signing.trusted_lists.list_world import NOW, Union
from tests.unit.signing.xml_forge import XmlRecipe

_TOKENS = (b"<ds:Reference", b"Id=", b'URI=""', b"<!--", b"&#13;", b"xmlns:ds=", b"</ds:Object>", b"<!DOCTYPE")


@cache
def _signer() -> forge.Identity:
    return forge.issued("Fuzz", forge.authority(), extensions=[(forge.key_usage(), True)])


@cache
def _xml_seeds() -> Mapping[str, bytes]:
    recipe = XmlRecipe(_signer())
    return {
        "enveloped": recipe.document(),
        "enveloping": recipe.but(mode="enveloping").document(),
        "detached": recipe.but(mode="detached", outside={"a.txt": b"Good day"}).document(),
    }


@cache
def _container_seeds() -> Mapping[str, bytes]:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.etsi.asic-e+zip")
        archive.writestr("a.txt", "Good day")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("META-INF/signatures0.xml", _xml_seeds()["detached"])
    return {"asic-e": out.getvalue()}


def _never_good(found: Examination) -> bool:
    """Nothing is PASSED without anchors; what is PASSED nowhere may still be intact. Says whether it was read."""
    assert found.verdict is not Verdict.PASSED
    assert found.examined or found.reason
    return found.examined


@target("xades", _xml_seeds, tokens=_TOKENS)
def xml_signature(data: bytes) -> bool:
    """Any XML is examined or said not to be; nothing raises."""
    trust = ExaminationTrust((), algorithms=current_algorithms())
    detached = [Document("a.txt", b"Good day")]
    return _never_good(xades.examine(Document("a.xml", data), detached=detached, trust=trust, at=corpus.AT))


@target("asic", _container_seeds, kind="zip")
def container(data: bytes) -> bool:
    """Any ZIP file is examined or said not to be."""
    trust = ExaminationTrust((), algorithms=current_algorithms())
    return _never_good(asic.examine(Document("a.asice", data), detached=(), trust=trust, at=corpus.AT))


@cache
def _list_seeds() -> Mapping[str, bytes]:
    union = Union.made()
    return {"national": union.national().octets(), "lists": union.lists().octets()}


@target(
    "trusted-list", _list_seeds, refusals=(TrustedListRefusedError,), tokens=(b"<ServiceStatus>", b"granted", b"Z<")
)
def trusted_list(data: bytes) -> None:
    """A list that was changed anywhere under its signature is refused."""
    lookup = load_lookup([data], at=NOW)
    lookup.timestamp_status([_signer().der], at=NOW)
    assert set(lookup.anchors()) <= {der for seed in _list_seeds().values() for der in _anchors(seed)}


@cache
def _anchors(seed: bytes) -> tuple[bytes, ...]:
    return load_lookup([seed], at=NOW).anchors()
