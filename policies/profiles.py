"""Preservation profiles: what is promised to whom, from when, until when (TS 119 511 6.4).

Rules kept here
 * A profile is published once and never edited; what changes is a new profile with a new id. One
   that no longer takes deposits stays readable, because objects came in under it (TS 119 512 5.3.1).
 * Two evidence lines of a profile never end on one digest algorithm or on one TSA: whatever falls
   takes one line, not both. A profile may say `same_root`: then its lines have one digest, so that two
   TSAs stamp the same root, and only a TSA that falls takes one line and not both.
 * A key that means nothing here is refused by name; a promise that is not built is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Self

from policies.algorithms import AlgorithmTable
from policies.errors import NotInForceError, PolicyError, UnknownPolicyError
from policies.examination import ExaminationPolicy, read_policy
from policies.reading import Section, aware, read_toml

FORMAT = "trusted-archive/profile/1"

TRUST_CLASSES = ("test", "advanced", "qualified")
"""From the weakest to the strongest; a line takes the class that it requires or a stronger one."""

STORAGE_MODELS = ("WithStorage", "WithTemporaryStorage", "WithoutStorage")
SEAL_MODES = ("batch", "each")
REQUIRED_COPIES = ("all", "quorum")
"""`all`: as the settings of the archive demand of everything; `quorum`: as the profile's own `[copies]` say."""

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one submission may hold: counts, bytes, levels of nesting."""

    max_files: int
    max_file_size: int
    max_total_size: int
    max_metadata_bytes: int
    max_metadata_depth: int


@dataclass(frozen=True, slots=True)
class BatchRule:
    """When an evidence batch closes, and whether originators share one.

    `close_after` is in seconds since the oldest waiting version was received; `close_at_count` is
    also the most that one batch holds.
    """

    shared: bool
    close_after: int
    close_at_count: int


@dataclass(frozen=True, slots=True)
class Quorum:
    """Which copies make a deposit kept: these stores (by their names in the settings), and at least so many stores at
    so many sites. What is more is desired, and owed while it is missing."""

    required: tuple[str, ...]
    stores: int
    sites: int


@dataclass(frozen=True, slots=True)
class LineRule:
    """An evidence line: its name, digest algorithm, TSA (by the name in the settings) and the least
    trust class of that TSA."""

    name: str
    digest: str
    tsa: str
    trust_class_required: str

    def accepts_trust(self, trust_class: str) -> bool:
        """Whether a TSA of this class is good enough for the line."""
        return TRUST_CLASSES.index(trust_class) >= TRUST_CLASSES.index(self.trust_class_required)


@dataclass(frozen=True, slots=True)
class PreservationProfile:
    """A published profile. `source` is the file's bytes, which are kept as a storage object.

    `valid_until` is exclusive, None while no end is set. `expected_evidence_years` is how long the
    evidence must be able to last; `retention_years` says what retention the profile was written
    for, and decides nothing by itself. `examination` is what is asked of signatures in a deposit;
    `qualified_seal` says that statements bear qualified electronic seals, by the trusted lists, or none are made;
    `same_root` says that all lines have one digest, so that their TSAs, each another, stamp the same root.
    """

    id: str
    title: dict[str, str]
    description: str
    scheme: str
    goals: tuple[str, ...]
    storage_model: str
    evidence_format: str
    operations: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime | None
    expected_evidence_years: int
    retention_years: int
    required_copies: str
    quorum: Quorum | None
    seal: str
    accepts_test_trust: bool
    limits: Limits
    batch: BatchRule
    lines: tuple[LineRule, ...]
    source: bytes = field(repr=False)
    examination: ExaminationPolicy = field(default_factory=ExaminationPolicy)
    qualified_seal: bool = False
    same_root: bool = False

    @classmethod
    def load(cls, source: bytes) -> Self:
        """Read a profile; raises PolicyError, naming the place, for anything that is not one."""
        top = read_toml(source, "The preservation profile")
        top.choice("format", (FORMAT,))
        profile = cls(
            id=top.text("id"),
            title=_titles(top.section("title")),
            description=top.text("description"),
            scheme=top.text("scheme"),
            goals=top.texts("goals"),
            storage_model=top.choice("storage_model", STORAGE_MODELS),
            evidence_format=top.text("evidence_format"),
            operations=top.texts("operations"),
            valid_from=top.day("valid_from"),
            valid_until=top.optional_day("valid_until"),
            expected_evidence_years=top.number("expected_evidence_years", most=1000),
            retention_years=top.number("retention_years", most=1000),
            required_copies=top.choice("required_copies", REQUIRED_COPIES),
            quorum=_quorum(top.optional_section("copies")),
            seal=top.choice("seal", SEAL_MODES),
            accepts_test_trust=top.flag("accepts_test_trust"),
            limits=_limits(top.section("limits")),
            batch=_batch(top.section("batch")),
            lines=tuple(_line(one) for one in top.sections("line")),
            examination=read_policy(top.optional_section("examination")),
            qualified_seal=top.optional_flag("qualified_seal"),
            same_root=top.optional_flag("same_root"),
            source=source,
        )
        top.finish()
        _refuse_contradictions(profile)
        return profile

    def is_active(self, at: datetime) -> bool:
        """Whether the profile takes new submissions at that instant."""
        return self.valid_from <= aware(at) and (self.valid_until is None or at < self.valid_until)

    def weak_lines(self, algorithms: AlgorithmTable, *, at: datetime) -> list[str]:
        """Why lines of this profile may not be used for new evidence at `at`, a sentence each
        (TS 119 312 5.2.2 and 9.2); empty when all may."""
        judged = (
            algorithms.digest_for_new_evidence(line.digest, self.expected_evidence_years, at=at) for line in self.lines
        )
        return [suitability.reason for suitability in judged if not suitability.good]


@cache
def published_profiles() -> tuple[PreservationProfile, ...]:
    """All profiles that come with this program, in the order of their ids, inactive ones too."""
    folder = resources.files("policies").joinpath("published")
    found = [(f.name, PreservationProfile.load(f.read_bytes())) for f in folder.iterdir() if _is_profile(f.name)]
    for name, profile in found:
        if name != f"profile-{profile.id}.toml":
            raise PolicyError(f"The file {name} publishes the profile '{profile.id}' under another name.")
    if not found:
        raise PolicyError("No preservation profile is published.")
    return tuple(sorted((profile for _, profile in found), key=lambda profile: profile.id))


def profile_by_id(profile_id: str, profiles: Sequence[PreservationProfile] | None = None) -> PreservationProfile:
    """A profile, in force or not; raises UnknownPolicyError."""
    for profile in published_profiles() if profiles is None else profiles:
        if profile.id == profile_id:
            return profile
    raise UnknownPolicyError(f"There is no preservation profile '{profile_id}'.")


def profile_at(
    profile_id: str, at: datetime, profiles: Sequence[PreservationProfile] | None = None
) -> PreservationProfile:
    """A profile that takes submissions at `at`; raises UnknownPolicyError, or NotInForceError when
    it is not in force then. `profiles` are the published ones unless others are given."""
    profile = profile_by_id(profile_id, profiles)
    if not profile.is_active(at):
        raise NotInForceError(f"The preservation profile '{profile_id}' is not in force on {at.date()}.")
    return profile


def is_batch_due(profile: PreservationProfile, count: int, oldest: datetime | None, at: datetime) -> bool:
    """Whether `count` waiting versions, the oldest received at `oldest`, are to be batched at `at`.

    Nothing waiting is never due. A clock that went back makes nothing due by age.
    """
    if count <= 0 or oldest is None:
        return False
    return count >= profile.batch.close_at_count or at - oldest >= timedelta(seconds=profile.batch.close_after)


def _is_profile(name: str) -> bool:
    return name.startswith("profile-") and name.endswith(".toml")


def _titles(section: Section) -> dict[str, str]:
    titles = {"en": section.text("en"), "cs": section.text("cs")}
    section.finish()
    return titles


def _limits(section: Section) -> Limits:
    limits = Limits(
        max_files=section.number("max_files"),
        max_file_size=section.number("max_file_size"),
        max_total_size=section.number("max_total_size"),
        max_metadata_bytes=section.number("max_metadata_bytes"),
        max_metadata_depth=section.number("max_metadata_depth", most=200),
    )
    section.finish()
    if limits.max_file_size > limits.max_total_size:
        raise PolicyError(f"{section.place}: 'max_file_size' is above 'max_total_size'.")
    return limits


def _batch(section: Section) -> BatchRule:
    rule = BatchRule(
        shared=section.flag("shared"),
        close_after=section.number("close_after", most=7 * 24 * 3600),
        close_at_count=section.number("close_at_count", most=1_000_000),
    )
    section.finish()
    return rule


def _quorum(section: Section | None) -> Quorum | None:
    if section is None:
        return None
    quorum = Quorum(
        required=section.texts("required"),
        stores=section.optional_number("stores") or 1,
        sites=section.optional_number("sites") or 1,
    )
    section.finish()
    return quorum


def _line(section: Section) -> LineRule:
    line = LineRule(
        name=section.text("name"),
        digest=section.text("digest"),
        tsa=section.text("tsa"),
        trust_class_required=section.choice("trust_class_required", TRUST_CLASSES),
    )
    section.finish()
    if not _NAME.fullmatch(line.name):
        raise PolicyError(f"{section.place}: 'name' must be made of a-z, 0-9 and '-', because files are named by it.")
    return line


def _refuse_contradictions(profile: PreservationProfile) -> None:
    place = f"The preservation profile {profile.id}"
    if not _ID.fullmatch(profile.id):
        raise PolicyError(f"{place}: 'id' must be made of a-z, 0-9 and '-', because an object is named by it.")
    if profile.valid_until is not None and profile.valid_until <= profile.valid_from:
        raise PolicyError(f"{place} ends before it begins.")
    if (profile.required_copies == "quorum") != (profile.quorum is not None):
        raise PolicyError(
            f"{place}: [copies] says which copies, and 'required_copies' says \"quorum\" then, and only then."
        )
    if profile.seal != "batch":
        raise PolicyError(f"{place} asks for a seal on each object; this version seals batches only.")
    if profile.storage_model != "WithStorage":
        raise PolicyError(
            f"{place} asks for the storage model {profile.storage_model}; this version stores what it keeps."
        )
    _refuse_lines_that_fall_together(profile, place)
    if any(line.trust_class_required == "test" for line in profile.lines) and not profile.accepts_test_trust:
        raise PolicyError(f"{place} has a line on test trust but does not accept test trust.")


def _refuse_lines_that_fall_together(profile: PreservationProfile, place: str) -> None:
    digests = [line.digest for line in profile.lines]
    apart = [("name", [line.name for line in profile.lines]), ("TSA", [line.tsa for line in profile.lines])]
    if not profile.same_root:
        apart.append(("digest algorithm", digests))
    elif len(digests) < 2 or len(set(digests)) > 1:
        raise PolicyError(
            f"{place} says 'same_root': that takes two lines or more, all with one digest algorithm, or their TSAs "
            "stamp different roots."
        )
    for what, values in apart:
        if len(set(values)) != len(values):
            raise PolicyError(f"{place}: two evidence lines share one {what}; redundant lines must not fall together.")
