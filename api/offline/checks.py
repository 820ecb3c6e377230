"""The checks of the offline verifier: a bundle or an exported ASiC-E container, and any RFC 4998 record with its data.

Rules kept here
 * A check always gives a report; what cannot be opened at all is the caller's error (`UsageError`).
 * The proven time is the initial stamp's, and is shown only when every step passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from api.offline.asic import check_asic, is_asic
from api.offline.bundle_earlier import check_earlier
from api.offline.bundle_evidence import check_evidence, check_receipt, check_seal, check_seal_evidence, validation_for
from api.offline.bundle_members import Bundle, open_bundle
from api.offline.bundle_trail import check_trail
from api.offline.checking import Judges, Log, lines_as_json
from api.offline.trust import TrustMaterial
from archive_core.errors import MalformedEvidenceError, UnsafeContainerError, UsageError
from archive_core.evidence.coverage import DataObject
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import MAX_RECORD
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, Step, SubIndication, Verdict, utc_text
from archive_core.ports import ValidationData
from archive_core.zip_reading import ZipContainer
from policies.algorithms import current_algorithms
from signing.seal_validation import SealVerifier
from signing.timestamp_validation import TokenValidator


def judges(trust: TrustMaterial, extra: ValidationData, at: datetime) -> Judges:
    """Judges for these trust anchors and this additional validation data, by the newest published
    algorithm table."""
    table = current_algorithms()
    known = ValidationData(extra.certificates, (*trust.data.crls, *extra.crls), (*trust.data.ocsps, *extra.ocsps))
    validator = TokenValidator(trust.anchors, algorithms=table, test_anchors=trust.test_anchors, extra=known)
    seals = SealVerifier(trust.anchors, algorithms=table, test_anchors=trust.test_anchors, extra=known)
    return Judges(validator, seals, table, at)


def check_bundle(path: Path, judging: Judges) -> Report:
    """Judge a bundle, or an exported ASiC-E container; raises `UsageError` when the file cannot be read."""
    log = Log()
    facts: dict[str, object] = {"kind": "bundle", "judged_at": utc_text(judging.at)}
    proven: datetime | None = None
    try:
        with ZipContainer.open(path) as container:
            if is_asic(container):
                proven = check_asic(container, judging, log, facts)
            elif (bundle := open_bundle(container, log)) is not None:
                proven = _check_contents(bundle, judging, log, facts)
    except UnsafeContainerError as error:
        log.failed("container", SubIndication.FORMAT_FAILURE, str(error))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    return Report.of(log.steps, log.findings, proof_of_existence=proven, test_trust=log.test_trust, facts=facts)


def _check_contents(bundle: Bundle, judging: Judges, log: Log, facts: dict[str, object]) -> datetime | None:
    lines, proven = check_evidence(bundle, judging, log)
    check_receipt(bundle, lines, log)
    check_seal(bundle, judging, proven, log)
    check_seal_evidence(bundle, judging, lines, log)
    check_trail(bundle, log)
    files = check_earlier(bundle, judging, proven, log)
    facts["poid"], facts["version"] = bundle.description.poid, bundle.description.version
    facts["batch"] = bundle.statement.batch
    facts["lines"] = lines_as_json(lines)
    facts["files"] = files if all(step.verdict is Verdict.PASSED for step in log.steps) else []
    return proven


def check_record(record: Path, data: Sequence[Path], judging: Judges) -> Report:
    """Judge a record over these files; raises `UsageError` when one of them cannot be read."""
    try:
        if record.stat().st_size > 2 * MAX_RECORD:
            raise MalformedEvidenceError(f"an evidence record of more than {MAX_RECORD} bytes")
        parsed, wrapping = load_record(record.read_bytes())
        objects = [DataObject.of_file(path, str(path)) for path in data]
        report = assess_record(
            parsed,
            objects,
            validator=judging.validator,
            algorithms=judging.algorithms,
            at=judging.at,
            validation_data=validation_for(parsed, ValidationData()),
        )
    except MalformedEvidenceError as error:
        step = Step("form", Verdict.FAILED, SubIndication.FORMAT_FAILURE, str(error), clause="RFC 4998 3.1, 4.1, 5.1")
        return Report.of([step], facts={"kind": "record", "judged_at": utc_text(judging.at)})
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or record}: {error.strerror or error}") from error
    return Report.of(
        report.steps,
        [*wrapping, *report.findings],
        proof_of_existence=parsed.initial.token_info.gen_time,
        test_trust=report.test_trust,
        facts={"kind": "record", "judged_at": utc_text(judging.at), **report.facts},
    )
