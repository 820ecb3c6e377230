"""Programs that are not ours, asked about what the archive wrote.

The rules this module keeps:

* A judge gets files and answers; it shares no code with the archive.
* Whatever a judge answers becomes a `Ruling`; a judge that cannot be asked (not installed, crashed, silent about a
  job) never counts as an opinion. Absent: the test is skipped, or failed with CI=true. Crashed or silent: an error.
* One virtual machine judges many records: jobs go in batches.
"""

import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1.error import PyAsn1Error
from pyasn1_alt_modules import rfc4998

from tests.vectors import REPOSITORY, missing

_BUILT = REPOSITORY / "build" / "interop"
_JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("bcprov", "bcpkix", "bcutil")]
_INSTALL = "run tests/interop/install.sh"
_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_PATIENCE = 280  # seconds for a batch; less than pytest gives a test


@dataclass(frozen=True)
class Job:
    """A record, all data of its group, and whom to trust (certificates and CRLs, DER).

    Without `cas` no path is built (`--no-path`). With `part`, the data may be a part of the group. `at` is when to
    judge (now, when it is None). `structure` leaves signatures and paths to others: digests, trees, imprints and the
    order of times are judged (BouncyCastle and its walk alone can).
    """

    name: str
    record: bytes
    data: tuple[bytes, ...]
    cas: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    part: bool = False
    at: datetime | None = None
    structure: bool = False


@dataclass(frozen=True)
class Ruling:
    """What a judge answered: accepted or not, why not, and all it said."""

    job: str
    accepted: bool
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)


# -- judges in Java ---------------------------------------------------------------------------


def bc_judge(jobs: Sequence[Job]) -> dict[str, Ruling]:
    """Ask BouncyCastle, and the walk over every chain that stands beside it (bc/ErsJudge.java)."""
    answers = _ask_java("BouncyCastle", [_BUILT / "bc", *_JARS], "ErsJudge", jobs)
    return {
        name: Ruling(
            name,
            facts["accepted"],
            "; ".join(f"{who}: {facts[who]}" for who in ("bouncycastle", "walk") if facts[who] is not None),
            facts,
        )
        for name, facts in answers.items()
    }


def dss_judge(jobs: Sequence[Job]) -> dict[str, Ruling]:
    """Ask EU DSS with its default policy (dss/src/main/java/DssJudge.java)."""
    class_path = [_BUILT / "dss" / "classes", _BUILT / "dss" / "lib" / "*"]
    answers = _ask_java("EU DSS", class_path, "DssJudge", jobs)
    return {name: Ruling(name, facts["accepted"], facts["reason"] or "", facts) for name, facts in answers.items()}


def _ask_java(what: str, class_path: list[Path], judge: str, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
    """Run one virtual machine over all jobs; return its JSON lines by the jobs' names."""
    if shutil.which("java") is None:
        missing(f"the judge {what} (no java; {_INSTALL})")
    for part in class_path:
        if not (part.parent if part.name == "*" else part).exists():
            missing(f"the judge {what} (no {part}; {_INSTALL})")
    names = [job.name for job in jobs]
    if not names or len(set(names)) != len(names):
        raise ValueError("a batch needs jobs, each with a name of its own")
    with tempfile.TemporaryDirectory(prefix="judge-") as directory:
        keep = functools.partial(_keep, Path(directory))
        lines = "".join("\t".join(_arguments(job, keep)) + "\n" for job in jobs)
        done = subprocess.run(
            ["java", *_QUICK_START, "-cp", ":".join(str(part) for part in class_path), judge, "--batch"],
            input=lines,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the judge {what} broke down ({done.returncode}): {done.stderr.strip()}")
    answers = {answer["job"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    if sorted(answers) != sorted(names):
        raise RuntimeError(f"the judge {what} answered {len(answers)} of {len(names)} jobs")
    return answers


def _arguments(job: Job, keep: "functools.partial[str]") -> list[str]:
    options = [argument for ca in job.cas for argument in ("--ca", keep(ca))] or ["--no-path"]
    options += [argument for crl in job.crls for argument in ("--crl", keep(crl))]
    options += ["--part"] if job.part else []
    options += ["--structure"] if job.structure else []
    options += ["--at", f"{job.at:%Y-%m-%dT%H:%M:%SZ}"] if job.at else []
    return [job.name, *options, keep(job.record), *map(keep, job.data)]


def _keep(directory: Path, content: bytes) -> str:
    """Keep bytes in a file named by their digest, so that what many jobs share is written once."""
    path = directory / sha256(content).hexdigest()
    if not path.exists():
        path.write_bytes(content)
    return str(path)


# -- OpenSSL ----------------------------------------------------------------------------------


def openssl_ts_verify(
    token: bytes, *, data: bytes | None = None, imprint: bytes | None = None, ca_pem: bytes, untrusted_pem: bytes = b""
) -> Ruling:
    """Ask `openssl ts -verify` about a token (a bare ContentInfo) over data or over an imprint."""
    if (data is None) == (imprint is None):
        raise ValueError("give either data or imprint")
    with tempfile.TemporaryDirectory(prefix="judge-") as directory:
        keep = functools.partial(_keep, Path(directory))
        over = ["-data", keep(data)] if data is not None else ["-digest", (imprint or b"").hex()]
        untrusted = ["-untrusted", keep(untrusted_pem)] if untrusted_pem else []
        arguments = ["ts", "-verify", "-token_in", "-in", keep(token), *over, "-CAfile", keep(ca_pem), *untrusted]
        return _openssl("openssl ts", arguments, says="Verification: OK")


def openssl_cms_verify(cms: bytes, content: bytes | None = None, *, ca_pem: bytes, cades: bool = False) -> Ruling:
    """Ask `openssl cms -verify -purpose any` about a signature: detached over `content`, or (a token) with its own."""
    with tempfile.TemporaryDirectory(prefix="judge-") as directory:
        keep = functools.partial(_keep, Path(directory))
        arguments = ["cms", "-verify", "-binary", "-inform", "DER", "-in", keep(cms)]
        arguments += ["-content", keep(content)] if content is not None else []
        arguments += ["-cades"] if cades else []
        arguments += ["-CAfile", keep(ca_pem), "-purpose", "any", "-out", str(Path(directory) / "content")]
        return _openssl("openssl cms", arguments, says=f"{'CAdES' if cades else 'CMS'} Verification successful")


def _openssl(name: str, arguments: list[str], *, says: str) -> Ruling:
    """Accepted is: exit code 0 and the very words of success."""
    if shutil.which("openssl") is None:
        missing(f"the judge OpenSSL ({_INSTALL})")
    done = subprocess.run(["openssl", *arguments], capture_output=True, timeout=60, check=False)
    words = (done.stdout + done.stderr).decode("utf-8", "replace")
    if "unknown option" in words.lower():
        raise RuntimeError(f"{name} does not understand the question: {words}")
    return Ruling(name, done.returncode == 0 and says in words, words.strip(), {"exit": done.returncode})


# -- pyasn1-alt-modules -----------------------------------------------------------------------


def pyasn1_reencode(record: bytes) -> Ruling:
    """Ask pyasn1-alt-modules to decode a record as RFC 4998 and to encode it again as DER, byte for byte."""
    try:
        value, rest = decode(record, asn1Spec=rfc4998.EvidenceRecord())
        again = encode(value)
    except PyAsn1Error as error:
        return Ruling("pyasn1", accepted=False, reason=f"not to be read: {error}")
    if rest:
        return Ruling("pyasn1", accepted=False, reason=f"{len(rest)} bytes left over")
    if again != record:
        return Ruling("pyasn1", accepted=False, reason="encodes to other bytes")
    return Ruling("pyasn1", accepted=True, reason="")


# -- what tests say about rulings -------------------------------------------------------------


def refused(rulings: Iterable[Ruling]) -> list[str]:
    """Name each record that was not accepted, with the reason."""
    return [f"{ruling.job}: {ruling.reason}" for ruling in rulings if not ruling.accepted]


def accepted(rulings: Iterable[Ruling]) -> list[str]:
    """Name each record that was accepted."""
    return [ruling.job for ruling in rulings if ruling.accepted]
