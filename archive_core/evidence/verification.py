"""Verifying an evidence record: RFC 4998 5.3 whole, 4.3 for every stamp, EN 319 102-1 5.6.3.4.

Rules kept here
 * Every chain, every stamp, every link and every token is looked at, also after a failure: the
   report says all that is wrong, and its verdict is that of the worst step.
 * FAILED: a hash, link, imprint, order or form is wrong, or a signature is. INDETERMINATE: all that
   is there fits, but trust, time, an algorithm or the data themselves are missing.
 * A token that a later stamp covers is judged as of that stamp's genTime, the last one `at`.
 * Existence is proven at the genTime of the *initial* stamp, and only when every step passed.
 * Liberal where the field differs and nothing is lost by it; each tolerance leaves a finding:
   DOUBLE_HASHED, RENEWAL_SORTED, GROUP_INCOMPLETE, GROUP_REPEATS, COVERED_THROUGH_TOKEN,
   CRYPTO_INFOS_IGNORED, ATTRIBUTES_IGNORED, VERSION_UNKNOWN, BASE64_WRAPPED, XML_WRAPPED.

The clauses of RFC 4998 and where they are applied
 * 4.3(1), 4.3(2) and the proof of a whole group: `coverage`
 * 4.3(3), 4.3(4): `_assess_tree`            * 4.3(5), 5.3(2), 5.3(4) validity: `_assess_tokens`
 * 5.3(1), 5.3(3) contents: `coverage`       * 5.3(2) contents: `_assess_links`
 * 5.3(2) one algorithm a chain, still good at the next chain: `_assess_form`, `_assess_digests`
 * 5.1, 5.3 ascending order: `_assess_order`
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from archive_core.digests import Digest, hash_bytes, is_available
from archive_core.errors import MalformedEvidenceError
from archive_core.evidence.coverage import CoverageCheck, DataObject, DigestPolicy, place
from archive_core.evidence.hash_tree import reduced_root
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import ArchiveTimeStamp, EvidenceRecord
from archive_core.findings import Finding, Report, Step, SubIndication, Verdict, utc_text
from archive_core.ports import TimestampValidator, TokenAssessment, ValidationData

__all__ = ["CLOCK_TOLERANCE", "DataObject", "DigestPolicy", "assess_record"]

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a genTime may lie after `at` before it counts as the future: clocks differ a little."""


def assess_record(
    record: bytes | EvidenceRecord,
    data: Sequence[DataObject],
    *,
    validator: TimestampValidator,
    algorithms: DigestPolicy,
    at: datetime,
    validation_data: Mapping[str, ValidationData] | None = None,
) -> Report:
    """Judge a record over these data objects as of the instant `at`; never raises for bad evidence.

    `record` may be DER, base64 text, or parsed already. `validation_data` is kept material by the
    hexadecimal SHA-512 of the token (complete ContentInfo) that it belongs to. Errors of reading
    the data objects themselves (OSError) pass through.
    """
    try:
        parsed, wrapping = (record, ()) if isinstance(record, EvidenceRecord) else load_record(record)
    except MalformedEvidenceError as error:
        step = Step("form", Verdict.FAILED, SubIndication.FORMAT_FAILURE, str(error), clause="RFC 4998 3.1, 4.1, 5.1")
        return Report.of([step])
    if parsed.has_encryption_info:
        return Report.of([_ENCRYPTED], wrapping)
    walk = _Walk(parsed, validator, algorithms, at, validation_data or {})
    coverage = CoverageCheck(parsed, data, algorithms, at)
    walk.assess_hashes()
    coverage.run()
    walk.assess_times()
    # Hashes, data, order, tokens, digests: among equally bad steps the first gives the sub-indication.
    return Report.of(
        [*walk.hash_steps, *coverage.steps, *walk.time_steps],
        [*wrapping, *walk.findings, *coverage.findings],
        proof_of_existence=parsed.initial.token_info.gen_time,
        test_trust=walk.test_trust,
        facts={"time_stamps": _time_stamps(parsed)},
    )


_ENCRYPTED = Step(
    "encryption",
    Verdict.INDETERMINATE,
    SubIndication.UNSUPPORTED,
    "the record covers encrypted data (encryptionInfo); no method for that is registered, so nothing is concluded",
    clause="RFC 4998 3.3, 6",
)


class _Walk:
    """The record's own hashes first, then its times; steps and findings as they are met."""

    def __init__(
        self,
        record: EvidenceRecord,
        validator: TimestampValidator,
        algorithms: DigestPolicy,
        at: datetime,
        validation_data: Mapping[str, ValidationData],
    ) -> None:
        self._record = record
        self._validator = validator
        self._algorithms = algorithms
        self._at = at
        self._validation_data = validation_data
        self.hash_steps: list[Step] = []
        self.time_steps: list[Step] = []
        self.findings: list[Finding] = []
        self.test_trust = False

    def assess_hashes(self) -> None:
        self._assess_form()
        for number, chain in enumerate(self._record.chains):
            for index, stamp in enumerate(chain.stamps):
                self.hash_steps.append(self._assess_tree(stamp, place(number, index)))
        self._assess_links()

    def assess_times(self) -> None:
        self._assess_order()
        self._assess_tokens()
        self._assess_digests()

    # -- form: 3.1, 4.1, 5.2 ------------------------------------------------------------------

    def _assess_form(self) -> None:
        record = self._record
        if record.version > 1:
            self._note("VERSION_UNKNOWN", f"version {record.version}; read as version 1", "", "3.1")
        if record.has_crypto_infos:
            self._note("CRYPTO_INFOS_IGNORED", "cryptoInfos are under no stamp and prove nothing", "", "3.1")
        if any(stamp.has_attributes for stamp in record.stamps):
            self._note("ATTRIBUTES_IGNORED", "attributes beside a time-stamp are not interpreted", "", "4.1")
        for number, chain in enumerate(record.chains):
            used = {stamp.digest_algorithm for stamp in chain.stamps}
            message = f"digest algorithm of the chain: {', '.join(sorted(used))}"
            good = len(used) == 1
            if good and not used <= set(record.digest_algorithms):
                good, message = False, f"{message}, which digestAlgorithms does not list"
            failure = None if good else SubIndication.FORMAT_FAILURE
            self.hash_steps.append(_step("chain", failure, message, f"chain {number + 1}", "RFC 4998 3.1, 5.2, 5.3(2)"))

    # -- hashes: 4.3(3), 4.3(4), 5.3(2) -------------------------------------------------------

    def _assess_tree(self, stamp: ArchiveTimeStamp, where: str) -> Step:
        """4.3(3) and 4.3(4): the reduced hash tree leads to the imprint, under the same algorithm."""
        algorithm, info = stamp.digest_algorithm, stamp.token_info
        name, clause = "hash tree", "RFC 4998 4.3(3), 4.3(4)"
        if algorithm != info.imprint_algorithm:
            message = f"the hash tree uses {algorithm}, the imprint {info.imprint_algorithm}"
            return _step(name, SubIndication.HASH_FAILURE, message, where, "RFC 4998 4.1, 4.3(4)")
        if not is_available(algorithm):
            return _step(name, SubIndication.UNSUPPORTED, f"{algorithm} cannot be computed here", where, clause)
        tree = stamp.reduced_hash_tree or ((info.imprint,),)
        try:
            root = reduced_root(algorithm, tree)
        except ValueError as error:
            return _step(name, SubIndication.HASH_FAILURE, str(error), where, clause)
        if root == info.imprint:
            return _step(name, None, f"leads to the imprint ({len(tree)} lists)", where, clause)
        if reduced_root(algorithm, tree, lone_hashed_again=True) == info.imprint:
            self._note("DOUBLE_HASHED", "the single hash of the first list was hashed again", where, "4.2, 4.3(3)")
            return _step(name, None, "leads to the imprint with its single hash hashed again", where, clause)
        return _step(name, SubIndication.HASH_FAILURE, "does not lead to the imprint", where, clause)

    def _assess_links(self) -> None:
        """5.3(2): each renewed token, as the whole ContentInfo, is in the next stamp's first list."""
        for number, chain in enumerate(self._record.chains):
            for index in range(1, len(chain.stamps)):
                self.hash_steps.append(self._assess_link(chain.stamps[: index + 1], place(number, index)))

    def _assess_link(self, stamps: Sequence[ArchiveTimeStamp], where: str) -> Step:
        """The last of these stamps renews the one before it; it may cover the earlier ones again."""
        *earlier, later = stamps
        algorithm, name, clause = later.digest_algorithm, "time-stamp renewal", "RFC 4998 5.2, 5.3(2)"
        if not is_available(algorithm):
            return _step(name, SubIndication.UNSUPPORTED, f"{algorithm} cannot be computed here", where, clause)
        known = [hash_bytes(algorithm, stamp.token) for stamp in earlier]
        if known[-1] not in later.first_list:
            return _step(name, SubIndication.HASH_FAILURE, "does not cover the time-stamp before it", where, clause)
        if others := set(later.first_list) - set(known):
            message = f"the first list holds {len(others)} more hash(es) than those of the chain's time-stamps"
            self._note("GROUP_INCOMPLETE", message, where, "4.3")
        return _step(name, None, "covers the time-stamp before it", where, clause)

    # -- time: 5.3, EN 319 102-1 5.6.3.4 ------------------------------------------------------

    def _places(self) -> list[str]:
        return [place(n, i) for n, chain in enumerate(self._record.chains) for i in range(len(chain.stamps))]

    def _assess_order(self) -> None:
        """5.1, 5.3: chains and stamps ascend in time, strictly, and none is from the future."""
        places, clause = self._places(), "RFC 4998 5.1, 5.3"
        for where, (earlier, later) in zip(places[1:], pairwise(self._record.stamps), strict=True):
            before, after = earlier.token_info.gen_time, later.token_info.gen_time
            message = f"{utc_text(before)} then {utc_text(after)}"
            order = None if before < after else SubIndication.TIMESTAMP_ORDER_FAILURE
            step = _step("order in time", order, message, where, clause)
            if before > after:
                step = dataclasses.replace(step, verdict=Verdict.FAILED)
            self.time_steps.append(step)
        last = self._record.last.token_info.gen_time
        if last > self._at + CLOCK_TOLERANCE:
            message = f"stamped at {utc_text(last)}, after the time of judgement {utc_text(self._at)}"
            failure = SubIndication.TIMESTAMP_ORDER_FAILURE
            self.time_steps.append(_step("order in time", failure, message, places[-1], clause))

    def _assess_tokens(self) -> None:
        """4.3(5), 5.3(2), 5.3(4): each token valid at the genTime of the next, the last one `at`."""
        instants = [*(stamp.token_info.gen_time for stamp in self._record.stamps[1:]), self._at]
        for stamp, where, instant in zip(self._record.stamps, self._places(), instants, strict=True):
            kept = self._validation_data.get(hashlib.sha512(stamp.token).hexdigest())
            assessment = self._validator.assess(stamp.token, at=instant, data=kept)
            self.test_trust |= assessment.test_trust
            self.findings += [
                dataclasses.replace(finding, where=": ".join(filter(None, (where, finding.where))))
                for finding in assessment.findings
            ]
            self.time_steps.append(_token_step(stamp, assessment, where, instant))

    def _assess_digests(self) -> None:
        """5.3(2): the algorithm of a chain was good at the first stamp of the next, the last is `at`."""
        chains = self._record.chains
        instants = [*(chain.stamps[0].token_info.gen_time for chain in chains[1:]), self._at]
        for number, (chain, instant) in enumerate(zip(chains, instants, strict=True)):
            algorithm = chain.stamps[0].digest_algorithm
            suitability = self._algorithms.digest(algorithm, at=instant)
            failure = None if suitability.good else SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
            message = f"{algorithm}: {suitability.reason}"
            step = _step("digest algorithm", failure, message, f"chain {number + 1}", "RFC 4998 5.3(2)")
            self.time_steps.append(dataclasses.replace(step, at=instant))

    def _note(self, code: str, message: str, where: str, clause: str) -> None:
        self.findings.append(Finding(code, message, where, f"RFC 4998 {clause}"))


def _token_step(stamp: ArchiveTimeStamp, assessment: TokenAssessment, where: str, instant: datetime) -> Step:
    """The validator's word on a token, provided that it read the same imprint and time as we did."""
    info, clause = stamp.token_info, "RFC 4998 4.3(5), 5.3; EN 319 102-1 5.6.3.4"
    verdict, sub_indication, message = assessment.verdict, assessment.sub_indication, assessment.message
    imprint_differs = assessment.imprint is not None and assessment.imprint != _imprint(stamp)
    if imprint_differs or assessment.gen_time not in (None, info.gen_time):
        verdict, sub_indication = Verdict.FAILED, SubIndication.FORMAT_FAILURE
        message = "the token can be read in two ways: its validator sees another imprint or time"
    elif verdict is Verdict.PASSED and (assessment.imprint is None or assessment.gen_time is None):
        verdict, sub_indication = Verdict.INDETERMINATE, SubIndication.UNSUPPORTED
        message = "the validator does not say which imprint and time it has validated"
    return Step("time-stamp token", verdict, sub_indication, message, where, clause, instant)


def _imprint(stamp: ArchiveTimeStamp) -> Digest | None:
    info = stamp.token_info
    try:
        return Digest(info.imprint_algorithm, info.imprint)
    except (KeyError, ValueError):  # unknown algorithm or wrong length: `_assess_tree` has said so
        return None


_FAILING = {SubIndication.FORMAT_FAILURE, SubIndication.HASH_FAILURE}


def _step(name: str, sub_indication: SubIndication | None, message: str, where: str, clause: str) -> Step:
    """A step that passed unless there is a sub-indication: some mean FAILED, the rest INDETERMINATE."""
    verdict = Verdict.PASSED if sub_indication is None else Verdict.INDETERMINATE
    if sub_indication in _FAILING:
        verdict = Verdict.FAILED
    return Step(name, verdict, sub_indication, message, where, clause)


def _time_stamps(record: EvidenceRecord) -> list[dict[str, str]]:
    return [
        {
            "where": place(number, index),
            "gen_time": utc_text(stamp.token_info.gen_time),
            "digest_algorithm": stamp.digest_algorithm,
            "token_sha512": hashlib.sha512(stamp.token).hexdigest(),
        }
        for number, chain in enumerate(record.chains)
        for index, stamp in enumerate(chain.stamps)
    ]
