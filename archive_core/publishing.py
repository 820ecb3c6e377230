"""Published policies: profiles and algorithm tables, kept in every store beside what they govern.

Rules kept here
 * What is published is never edited: an id stands for one sequence of bytes for ever, and a store that
   holds other bytes under it stops the start.
 * Statements name profile and table by digest, so that in fifty years it is known what was promised.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from archive_core.batch import system_package
from archive_core.errors import AlreadyExistsError, ConcurrentChangeError, SettingsError, UnknownProfileError
from archive_core.identifiers import named_object
from archive_core.replication import Copies
from policies.algorithms import AlgorithmTable
from policies.profiles import PreservationProfile

PROFILE_FILE = "profile.toml"


def table_file(table: AlgorithmTable) -> str:
    """The file that holds a table in its object: `algorithms.toml`, or as the list in force is written."""
    return f"algorithms.{table.form}"


class Published:
    """The profiles that this archive knows, and the algorithm table in force."""

    def __init__(
        self, profiles: Iterable[PreservationProfile], algorithms: AlgorithmTable, *, default_profile: str
    ) -> None:
        self._profiles = {profile.id: profile for profile in profiles}
        self.algorithms = algorithms
        if default_profile not in self._profiles:
            raise SettingsError(f"the default profile {default_profile!r} is not published")
        self._default = default_profile

    @property
    def profiles(self) -> list[PreservationProfile]:
        """All of them, retired ones too."""
        return sorted(self._profiles.values(), key=lambda profile: profile.id)

    def profile(self, profile_id: str) -> PreservationProfile:
        """A profile by its id; raises `UnknownProfileError`."""
        try:
            return self._profiles[profile_id]
        except KeyError:
            raise UnknownProfileError(f"there is no profile {profile_id[:80]!a}") from None

    def for_submission(self, profile_id: str | None, at: datetime) -> PreservationProfile:
        """The profile that a submission asks for, or the default one; whether it is active at `at`
        is for admission to say."""
        return self.profile(profile_id if profile_id is not None else self._default)

    def publish(self, copies: Copies) -> None:
        """Write what the stores lack; raises `SettingsError` when a store holds other bytes under
        one of the ids."""
        for profile in self.profiles:
            self._keep(copies, f"profile-{profile.id}", PROFILE_FILE, profile.source, profile.valid_from)
        table = self.algorithms
        self._keep(copies, table.id, table_file(table), table.source, table.issued)

    def missing(self, copies: Copies) -> list[str]:
        """The names of published policies that some store lacks."""
        names = [*(f"profile-{profile.id}" for profile in self.profiles), self.algorithms.id]
        return [name for name in names if not all(root.has_object(named_object(name)) for root in copies.roots)]

    def _keep(self, copies: Copies, name: str, file: str, source: bytes, created: datetime) -> None:
        package = system_package(named_object(name), 1, {file: source}, None, message="Published", at=created)
        try:
            copies.replicate(package)
        except (AlreadyExistsError, ConcurrentChangeError) as error:
            raise SettingsError(
                f"{name} was published with other content: published policies are superseded, never edited"
            ) from error
