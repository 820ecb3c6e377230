"""The staging area beside a storage root."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from archive_core.errors import StoreUnavailableError
from storage_backends.staging import Staging


def dead_session(area: Path, name: str, *, lock: bool = True) -> Path:
    """A session whose process is gone."""
    session = area / name
    session.mkdir(parents=True)
    if lock:
        (session / "lock").touch()
    (session / "1-1").write_bytes(b"half")
    return session


def test_paths_are_never_given_twice(tmp_path: Path) -> None:
    """Also to several threads and several stores on one area."""
    areas = [Staging(tmp_path / "s") for _ in range(2)]
    given: list[str] = []

    def take(staging: Staging) -> None:
        staging.session()
        given.extend(staging.new_path() for _ in range(200))

    threads = [threading.Thread(target=take, args=(staging,)) for staging in areas * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(given)) == len(given) == 1200


def test_dead_sessions_are_cleared_and_living_ones_are_not(tmp_path: Path) -> None:
    """The lock tells them apart, not age or number."""
    area = tmp_path / "s"
    living = Staging(area)
    kept = Path(living.session()) / "kept"
    kept.write_bytes(b"1")
    dead_session(area, "dead")
    dead_session(area, "never-locked", lock=False)
    other = Staging(area)

    assert other.leftovers() == ["dead/1-1", "never-locked/1-1"]
    assert kept.name not in str(other.leftovers())
    assert other.clear_leftovers() == ["dead/1-1", "never-locked/1-1"]
    assert other.leftovers() == []
    assert kept.exists()
    assert sorted(path.name for path in area.iterdir()) == [Path(living.session()).name]


def test_a_link_in_the_area_is_not_followed(tmp_path: Path) -> None:
    """Clearing never reaches outside."""
    outside = dead_session(tmp_path, "outside")
    area = tmp_path / "s"
    area.mkdir()
    (area / "link").symlink_to(outside)
    staging = Staging(area)

    assert staging.clear_leftovers() == []
    assert (outside / "1-1").exists()


def test_a_session_that_somebody_deleted_is_made_anew(tmp_path: Path) -> None:
    """An operator who empties the area does not stop the store."""
    staging = Staging(tmp_path / "s")
    session = Path(staging.session())
    (session / "lock").unlink()
    session.rmdir()
    (Path(staging.session()) / "x").write_bytes(b"1")

    assert staging.session() != str(session)


def test_the_head_lock_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    """A hung process must not hang the others."""
    staging = Staging(tmp_path / "s", lock_seconds=0.05)
    with staging.heads_locked():
        pass
    descriptor = os.open(tmp_path / "s" / "heads.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailableError), staging.heads_locked():
            pass
    finally:
        os.close(descriptor)
    with staging.heads_locked():
        pass
