"""Signatures made on the spot by EU DSS, with keys and authorities of the test's own; and both judges over them.

The rules this module keeps:

* What is judged is what DSS wrote: nothing of ours was at it. Time-stamps are tokens of `tests/unit/signing/forge`.
* One virtual machine makes everything that is asked for at once. A job that DSS refuses is an error of the test.
* Both judges get the same trust anchors and revocation lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from archive_core.ports import ValidationData
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Examination
from tests.fakes.tsa import HttpTsa
from tests.interop.asked import Question
from tests.interop.signature_agreement import java
from tests.unit.signing import forge

PASSWORD = "secret"


@dataclass(frozen=True)
class Job:
    """What DSS is asked for: see DssSignatureMaker.java. `data` and `older` are names of files in the folder."""

    kind: str
    level: str
    data: Sequence[str] = ()
    older: str = ""
    options: Sequence[str] = ()


@dataclass
class Workshop:
    """A folder with data, keys and whatever was made."""

    folder: Path
    tsa: HttpTsa
    anchors: list[bytes] = field(default_factory=list)

    def put(self, name: str, octets: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
        return path

    def make(self, jobs: Mapping[str, Job]) -> None:
        """Each job's name is that of the file to be made; raises RuntimeError for what DSS does not make."""
        lines = []
        for name, job in jobs.items():
            older = str(self.folder / job.older) if job.older else ""
            fields = [name, str(self.folder / name), job.kind, job.level, older]
            lines.append("\t".join([*fields, *(str(self.folder / one) for one in job.data), *job.options]) + "\n")
        trust = [f"--ca={path}" for path in self.cas] + [f"--crl={path}" for path in self.crls]
        arguments = [str(self.folder / "signer.p12"), PASSWORD, self.tsa.address, *trust]
        answers = java("DssSignatureMaker", *arguments, lines="".join(lines))
        refused = {answer["job"]: answer["error"] for answer in answers if answer["error"]}
        if refused or len(answers) != len(jobs):
            raise RuntimeError(f"EU DSS answered {len(answers)} of {len(jobs)} jobs, and refused: {refused}")

    @property
    def cas(self) -> list[Path]:
        return [self.folder / "root.pem", self.folder / "tsa.pem"]

    @property
    def crls(self) -> list[Path]:
        return [self.folder / "root.crl", self.folder / "tsa.crl"]

    def question(self, name: str, data: Sequence[str] = ()) -> Question:
        return Question(self.folder / name, [self.folder / one for one in data], self.cas, self.crls)

    def examined(self, name: str, data: Sequence[str] = ()) -> Examination:
        extra = ValidationData(crls=tuple(path.read_bytes() for path in self.crls))
        trust = ExaminationTrust(self.anchors, algorithms=current_algorithms(), extra=extra)
        detached = [Document(Path(one).name, self.folder / one) for one in data]
        path = self.folder / name
        return examine(Document(path.name, path), detached=detached, trust=trust, at=datetime.now(UTC))


@contextmanager
def workshop(folder: Path) -> Iterator[Workshop]:
    """Keys on P-384, a root, an authority for time-stamps that answers over HTTP, and their revocation lists."""
    now = datetime.now(UTC)
    start, end = now - forge.YEAR, now + 5 * forge.YEAR
    root = forge.authority("Workshop root", key=forge.new_key("p384"), start=start, end=end)
    usage = [(forge.key_usage(), True)]
    signer = forge.issued("Signer", root, key=forge.new_key("p384"), extensions=usage, start=start, end=end)
    tsa = HttpTsa(lambda: datetime.now(UTC))
    stored = pkcs12.serialize_key_and_certificates(
        b"signer", signer.key, signer.certificate, list(signer.chain), BestAvailableEncryption(PASSWORD.encode())
    )
    made = Workshop(folder, tsa)
    made.put("signer.p12", stored)
    for name, authority in (("root", root), ("tsa", tsa.root)):
        made.put(f"{name}.pem", authority.certificate.public_bytes(Encoding.PEM))
        made.put(f"{name}.crl", forge.crl(authority, issued_at=now - timedelta(minutes=5)))
        made.anchors.append(authority.der)
    with tsa.listening():
        yield made
