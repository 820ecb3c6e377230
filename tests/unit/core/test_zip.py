"""ZIP files: written the same each time, read in one way or not at all."""

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_core import zip_layout as layout
from archive_core import zip_writing
from archive_core.errors import FixityError, NameNotAcceptedError, UnsafeContainerError
from archive_core.zip_reading import ZipContainer, ZipLimits
from archive_core.zip_writing import SizedSource, Source, ZipWriter

MEMBERS: dict[str, Source] = {"README.txt": b"read me\n", "data/č š.bin": b"\x00\xff" * 700, "data/empty": b""}


def written(members: dict[str, Source]) -> bytes:
    stream = io.BytesIO()
    writer = ZipWriter(stream)
    for name, source in members.items():
        writer.add(name, source)
    writer.finish()
    return stream.getvalue()


def contents(data: bytes, limits: ZipLimits | None = None) -> dict[str, bytes]:
    container = ZipContainer(io.BytesIO(data), limits or ZipLimits())
    return {name: b"".join(container.chunks(name)) for name in container.entries}


# -- writing ----------------------------------------------------------------------------------


def test_what_is_written_is_read_by_us_and_by_others(tmp_path: Path) -> None:
    """Our reader and the standard library's give the same contents."""
    data = written(MEMBERS)
    assert contents(data) == MEMBERS
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def test_same_contents_give_the_same_bytes_whatever_the_source(tmp_path: Path) -> None:
    """Bytes, a file and a stream of pieces leave no trace of themselves."""
    content = bytes(range(256)) * 400
    (tmp_path / "file").write_bytes(content)
    pieces: Callable[[], Iterator[bytes]] = lambda: (content[i : i + 999] for i in range(0, len(content), 999))  # noqa: E731
    variants = [written({"data/x": source}) for source in (content, tmp_path / "file", pieces)]
    assert variants[0] == variants[1] == variants[2]


def test_large_content_is_read_twice_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays near the buffer; the second pass must give what the first gave."""
    monkeypatch.setattr(zip_writing, "BUFFER", 1024 * 1024)
    passes = []

    def pieces() -> Iterator[bytes]:
        passes.append(1)
        yield from (bytes(512 * 1024) for _ in range(80))

    class Nowhere(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            return len(data)  # type: ignore[arg-type]

    tracemalloc.start()
    writer = ZipWriter(Nowhere())  # type: ignore[arg-type]
    writer.add("data/x", pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(passes) == 2
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("second", [b"y" * 2000, b"x" * 1999, b"x" * 2001])
def test_content_that_changes_between_the_passes_is_never_a_good_archive(
    monkeypatch: pytest.MonkeyPatch, second: bytes
) -> None:
    """Other bytes, fewer or more: the writer stops."""
    monkeypatch.setattr(zip_writing, "BUFFER", 1000)
    versions = iter([b"x" * 2000, second])
    with pytest.raises(FixityError, match="changed"):
        ZipWriter(io.BytesIO()).add("data/x", lambda: iter([next(versions)]))


@pytest.mark.parametrize("name", ["/a", "../a", "a/../b", "a\\b", "", "a//b", "a\nb", "nul"])
def test_an_unsafe_name_is_not_written(name: str) -> None:
    """The writer keeps the rules that the reader asks for."""
    with pytest.raises(NameNotAcceptedError):
        ZipWriter(io.BytesIO()).add(name, b"")


def test_clashing_names_are_not_written() -> None:
    """Two members that some file system would merge end the archive."""
    with pytest.raises(NameNotAcceptedError):
        written({"data/a": b"1", "data/A": b"2"})


def test_sizes_beyond_32_bits_are_written_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """ZIP64 for size, offset and count, tried with a small boundary on both sides."""
    monkeypatch.setattr(layout, "MAX32", 1500)
    monkeypatch.setattr(layout, "MAX16", 3)
    data = written({"data/large": b"x" * 1600, "data/far": b"y" * 10, "data/z": b""})
    assert contents(data) == {"data/large": b"x" * 1600, "data/far": b"y" * 10, "data/z": b""}


# -- reading what others wrote ----------------------------------------------------------------


def test_a_bundle_packed_again_by_a_stock_tool_is_read() -> None:
    """Deflated entries, folders and data descriptors are fine when they are consistent."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    for stream in (io.BytesIO(), Pipe()):
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("data")
            archive.writestr("data/a.txt", b"text " * 100)
            archive.writestr("data/b.bin", b"")
        assert contents(stream.getvalue()) == {"data/a.txt": b"text " * 100, "data/b.bin": b""}


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_changed_byte_passes_unnoticed_or_raises_anything_else(data: st.DataObject) -> None:
    """Any single changed byte is refused, or changes nothing but what the name or times say."""
    good = written(MEMBERS)
    position = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[position] ^= data.draw(st.integers(1, 255))
    try:
        found = contents(bytes(changed))
    except UnsafeContainerError:
        return
    assert found == MEMBERS


@given(st.binary(max_size=400), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_garbage_is_refused(garbage: bytes, cut: int) -> None:
    """Random bytes, also before the end of a good file, give a refusal and no other error."""
    for data in (garbage, garbage + written(MEMBERS)[-cut:], written(MEMBERS) + b"x" + garbage):
        with pytest.raises(UnsafeContainerError):
            contents(data)


def _stock(**attributes: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("data/a")
        for name, value in attributes.items():
            setattr(info, name, value)
        archive.writestr(info, b"content")
    return stream.getvalue()


def _named(name: str) -> bytes:
    """An entry under a name that Python's writer would not refuse but we do."""
    return _stock(filename=name)


def _two(first: str, second: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(first, b"1")
        archive.writestr(second, b"2")
    return stream.getvalue()


def _patched(offset_of: bytes, shift: int, value: bytes) -> bytes:
    data = bytearray(_stock())
    place = data.index(offset_of) + shift
    data[place : place + len(value)] = value
    return bytes(data)


def _commented() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.comment = b"comment"
        archive.writestr("a", b"")
    return stream.getvalue()


HOSTILE = {
    "traversal": _named("data/../../etc/passwd"),
    "absolute": _named("/etc/passwd"),
    "backslash": _named("data\\a"),
    "control character": _named("data/a\x1b"),
    "device": _named("data/CON.txt"),
    "duplicate": _two("data/a", "data/a"),
    "duplicate by case": _two("data/a", "data/A"),
    "duplicate by Unicode form": _two("data/\u00e9", "data/e\u0301"),
    "file and folder": _two("data/a", "data/a/b"),
    "symbolic link": _stock(external_attr=0o120777 << 16),
    "device file": _stock(external_attr=0o060644 << 16),
    "folder that has content": _named("data/a/"),
    "encrypted": _patched(b"PK\x01\x02", 8, b"\x01\x00"),
    "method": _patched(b"PK\x01\x02", 10, b"\x0c\x00"),
    "other name in the local header": _patched(b"data/a", 0, b"data/b"),
    "second name in an extra field": _stock(extra=struct.pack("<HH", 0x7075, 6) + b"\x01abcde"),
    "malformed extra field": _stock(extra=struct.pack("<HH", 0x9999, 60) + b"x"),
    "junk before": b"MZ" + _stock(),
    "junk after": _stock() + b"\x00",
    "comment": _commented(),
    "entry comment": _stock(comment=b"hidden"),
    "end record alone": layout.END.pack(layout.END_SIGNATURE, 0, 0, 1, 1, 0, 0, 0),
    "directory far away": layout.END.pack(layout.END_SIGNATURE, 0, 0, 1, 1, 46, 2**31, 0),
    "several disks": layout.END.pack(layout.END_SIGNATURE, 1, 0, 0, 0, 0, 0, 0),
    "empty": b"",
    "text": b"not a ZIP file at all, but long enough to hold an end record",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_container_is_refused(name: str) -> None:
    """Each trap is refused by an UnsafeContainerError with a reason."""
    with pytest.raises(UnsafeContainerError, match=r"\w+ \w+"):
        contents(HOSTILE[name])


def _bomb(size: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive, archive.open("b", "w") as out:
        for _ in range(size // 65536):
            out.write(bytes(65536))
    return stream.getvalue()


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    """A thousandfold ratio is refused before anything is unpacked."""
    with pytest.raises(UnsafeContainerError, match="times its packed size"):
        contents(_bomb(16 * 1024 * 1024))


def test_a_bomb_that_lies_is_refused_at_the_declared_size() -> None:
    """Sizes made small in every header: unpacking stops right behind the declared size."""
    size = 163 * 65536
    data, true, told = _bomb(size), struct.pack("<I", size), struct.pack("<I", 1000)
    assert data.count(true) == 2
    container = ZipContainer(io.BytesIO(data.replace(true, told)))
    given: list[int] = []
    with pytest.raises(UnsafeContainerError, match="more than the declared"):
        given.extend(len(chunk) for chunk in container.chunks("b"))
    assert sum(given) <= 1000


@pytest.mark.parametrize(
    "limits", [ZipLimits(entries=2), ZipLimits(directory=50), ZipLimits(entry_size=100), ZipLimits(total_size=500)]
)
def test_limits_are_applied_to_what_is_declared(limits: ZipLimits) -> None:
    """Number, directory, one size and their sum, before any content is read."""
    with pytest.raises(UnsafeContainerError, match="more than"):
        contents(written(MEMBERS), limits)


def test_a_small_read_refuses_a_large_entry() -> None:
    """`read` never holds more than it was allowed to."""
    container = ZipContainer(io.BytesIO(written(MEMBERS)))
    with pytest.raises(UnsafeContainerError):
        container.read("data/č š.bin", max_bytes=1399)
    assert container.read("data/č š.bin", max_bytes=1400) == MEMBERS["data/č š.bin"]


def test_an_entry_that_needs_a_newer_format_is_refused() -> None:
    """What others cannot unpack is not read in a way of our own (APPNOTE 4.4.3)."""
    data = bytearray(written(MEMBERS))
    place = data.index(b"PK\1\2") + 6
    data[place] = 179
    with pytest.raises(UnsafeContainerError, match="newer version"):
        contents(bytes(data))


# -- written in one pass ----------------------------------------------------------------------------


class _NoWayBack(io.BytesIO):
    """A stream that only goes forward, such as an answer over HTTP."""

    def seekable(self) -> bool:
        return False


def _large(passes: list[int], *, size: int | None = None) -> SizedSource:
    pieces = [bytes([number]) * 1_000_000 for number in range(10)]

    def start() -> Iterator[bytes]:
        passes.append(1)
        yield from pieces

    return SizedSource(sum(map(len, pieces)) if size is None else size, start)


def test_a_large_entry_is_read_once_where_one_can_go_back_and_the_bytes_are_the_same() -> None:
    """Two passes into a stream that only goes forward, one into a file, the same archive."""
    found = []
    for stream, expected in ((_NoWayBack(), 2), (io.BytesIO(), 1)):
        passes: list[int] = []
        writer = ZipWriter(stream)
        for name, source in {"small": b"s", "large": _large(passes), "last": b"l"}.items():
            writer.add(name, source)
        writer.finish()
        assert len(passes) == expected
        found.append(stream.getvalue())

    assert found[0] == found[1]
    assert len(contents(found[1])["large"]) == 10_000_000


def test_one_pass_begins_wherever_the_stream_stands() -> None:
    """What stood before the archive stays."""
    stream = io.BytesIO()
    stream.write(b"before")
    writer = ZipWriter(stream)
    writer.add("large", _large([]))
    writer.finish()

    assert stream.getvalue()[:6] == b"before"
    assert stream.getvalue()[6:] == written({"large": _large([])})


@pytest.mark.parametrize("size", [9_999_999, 10_000_001])
def test_content_of_another_size_than_was_said_is_no_entry(size: int) -> None:
    """Shorter or longer: an error, and no archive."""
    with pytest.raises(FixityError):
        written({"large": _large([], size=size)})
