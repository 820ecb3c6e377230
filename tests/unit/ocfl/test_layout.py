"""Extension 0003: where an object lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.errors import SettingsError
from archive_core.ocfl.layout import HashAndIdLayout


@pytest.mark.parametrize(
    ("layout", "object_id", "path"),
    [
        # The examples in the text of extension 0003.
        (("sha256", 3, 3), "object-01", "3c0/ff4/240/object-01"),
        (("sha256", 3, 3), "..hor/rib:le-$id", "487/326/d8c/%2e%2ehor%2frib%3ale-%24id"),
        (("sha256", 0, 0), "object-01", "object-01"),
        (("sha256", 0, 0), "..hor/rib:le-$id", "%2e%2ehor%2frib%3ale-%24id"),
    ],
)
def test_paths_are_those_of_the_extension(layout: tuple[str, int, int], object_id: str, path: str) -> None:
    """The mapping agrees with the registered extension, and back."""
    assert HashAndIdLayout(*layout).object_path(object_id) == path
    assert HashAndIdLayout(*layout).object_id(path) == object_id


def test_a_long_id_is_cut_and_followed_by_its_digest() -> None:
    """More than 100 encoded characters: the path no longer spells the id."""
    path = HashAndIdLayout().object_path("urn:x:" + "ž" * 60)
    name = path.rpartition("/")[2]

    assert len(name) == 100 + 1 + 64
    assert HashAndIdLayout().object_id(path) is None


def test_a_path_that_the_layout_would_not_make_spells_no_id() -> None:
    """A moved or renamed directory is not taken for the object it names."""
    layout = HashAndIdLayout()
    path = layout.object_path("urn:trusted-archive:ba0000000001")
    for other in ("00/" + path.partition("/")[2], path.upper(), path + "%", path.replace("%3a", ":"), "zz", ""):
        assert layout.object_id(other) is None


@given(st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()))
def test_every_id_has_a_safe_path(object_id: str) -> None:
    """Whatever the id, the path has no odd part, fits a file system and is found again."""
    layout = HashAndIdLayout()
    path = layout.object_path(object_id)

    assert all(part not in {"", ".", ".."} and len(part) <= 255 for part in path.split("/"))
    assert path.isascii()
    assert layout.object_id(path) in {object_id, None}


def test_a_configuration_is_read_as_it_is_written() -> None:
    """What one program writes, another finds."""
    layout = HashAndIdLayout("sha512", 4, 2)

    assert HashAndIdLayout.of_config(layout.config_file()) == layout


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"extensionName":"0004-hashed-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":3,"numberOfTuples":3}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"md4","tupleSize":3,"numberOfTuples":3}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":"3","numberOfTuples":3}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":true,"numberOfTuples":1}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":3}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":3,"numberOfTuples":0}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":33,"numberOfTuples":1}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":-1,"numberOfTuples":1}',
        b'{"extensionName":"0003-hash-and-id-n-tuple-storage-layout","digestAlgorithm":"sha256","tupleSize":32,"numberOfTuples":3}',
    ],
)
def test_a_configuration_that_is_not_ours_is_refused(config: bytes) -> None:
    """A layout that is not understood is never guessed."""
    with pytest.raises(SettingsError):
        HashAndIdLayout.of_config(config)
