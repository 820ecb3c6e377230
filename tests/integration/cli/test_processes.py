"""The command line as a process: no terminal, pipes that break, Ctrl-C, and how much is loaded."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import CommandLine, environment, process
from tests.sampling import quick_first

LOADED = (
    "import sys; from api.cli import main; code = main(sys.argv[1:]); "
    "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
)


def loaded(*words: str) -> set[str]:
    """The top-level modules that a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True, env=environment()
    )
    return set(done.stderr.splitlines()[-1].split())


def finish(running: subprocess.Popen[bytes], seconds: float = 60) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=seconds)
    return running.returncode, (out or b"").decode("utf-8", "replace"), (err or b"").decode("utf-8", "replace")


# -- how much is loaded -----------------------------------------------------------------------------


def test_help_loads_neither_database_nor_cryptography() -> None:
    """So it comes at once."""
    assert loaded("deposit", "--help") & {"sqlalchemy", "alembic", "cryptography", "pyhanko", "asn1crypto"} == set()


@pytest.mark.parametrize("command", quick_first(["deposit", "status", "list"]))
def test_everyday_commands_load_no_library_that_seals_migrates_or_serves(line: CommandLine, command: str) -> None:
    """pyHanko, its validator, Alembic, Flask: half a second and more of a processor each time."""
    words = ["--home", str(line.home), command, *([__file__] if command == "deposit" else [])]
    found = loaded(*words)

    assert "sqlalchemy" in found
    assert (
        found & {"pyhanko", "pyhanko_certvalidator", "alembic", "flask", "gunicorn", "apscheduler", "aiohttp"} == set()
    )


# -- streams ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(line: CommandLine, letter: Path) -> None:
    """`list | head -1`: silence on stderr, whatever was written before."""
    line.json("deposit", *([str(letter)] * 3))
    for words in (["list"], ["--json", "list"], ["--help"], ["trace", line.json("list")["objects"][0]["poid"]]):
        read, write = os.pipe()
        os.close(read)
        running = process(["--home", str(line.home), *words], stdout=write)
        os.close(write)
        code, _, err = finish(running)
        assert (code, err) == (0, ""), words


def test_a_shell_pipe_gets_its_first_line(line: CommandLine, letter: Path) -> None:
    """As an operator types it."""
    poid = line.deposit(letter)
    program = Path(sys.executable).parent / "trusted-archive"
    done = subprocess.run(
        f"{program} --home '{line.home}' list | head -2 | tail -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith(poid)
    assert done.stderr == ""


def test_closed_streams_are_no_error(line: CommandLine) -> None:
    """As some schedulers start their jobs."""
    program = Path(sys.executable).parent / "trusted-archive"
    done = subprocess.run(
        f"exec {program} --home '{line.home}' status <&- >&- 2>&-", shell=True, capture_output=True, check=False
    )

    assert done.returncode == 0


@pytest.mark.parametrize("encoding", quick_first(["iso8859-2", "ascii", "latin-1"]))
def test_names_that_the_terminal_cannot_show_are_no_error(line: CommandLine, tmp_path: Path, encoding: str) -> None:
    """People see them escaped; the JSON document is UTF-8 whatever the locale says."""
    path = tmp_path / "příloha-日本.txt"
    path.write_bytes(b"1")
    given = {**environment(), "PYTHONIOENCODING": encoding, "LANGUAGE": "cs", "PYTHONUTF8": "0"}
    words = ["--home", str(line.home), "deposit", str(path)]
    code, out, err = finish(process(words, env=given))
    assert (code, err) == (0, "")
    assert "\\u65e5\\u672c" in out
    code, out, err = finish(process(["--json", *words], env=given))
    assert code == 0
    assert json.loads(out)["objects"][0]["path"] == str(path)


@pytest.mark.slow
def test_nothing_is_asked_without_a_terminal(line: CommandLine, letter: Path) -> None:
    """Every command of a whole life ends by itself with stdin at its end."""
    poid = line.deposit(letter)
    for words in (
        ["init"],
        ["deposit", str(letter)],
        ["preserve"],
        ["keys", "create"],
        ["rebuild-catalogue"],
        ["upgrade"],
        ["doctor"],
        ["audit"],
        ["retrieve", poid, "--out", str(letter.parent / "out")],
    ):
        code, _, err = finish(process(["--home", str(line.home), *words]))
        assert code == 0, (words, err)


def test_a_terminal_sees_a_bar_that_is_wiped_away(line: CommandLine, letter: Path) -> None:
    """On stderr only; the answer on stdout is clean."""
    master, slave = pty.openpty()
    running = process(["--home", str(line.home), "deposit", str(letter)], stderr=slave)
    os.close(slave)
    code, out, _ = finish(running)
    os.set_blocking(master, False)
    seen = os.read(master, 65536).decode()
    os.close(master)

    assert code == 0
    assert "depositing" in seen
    assert "[####" in seen
    assert seen.endswith("\x1b[K")
    assert "\x1b" not in out


# -- Ctrl-C -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ctrl_c_leaves_a_state_that_goes_on(line: CommandLine, tmp_path: Path) -> None:
    """Exit 130, no traceback; what was begun is finished and told, nothing else is kept, and the rest is deposited
    afterwards."""
    paths = []
    for number in range(1000):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_bytes(str(number).encode())
    running = process(["--home", str(line.home), "--json", "deposit", *map(str, paths)])
    assert running.stderr is not None
    seen = [running.stderr.readline()]
    while json.loads(seen[-1])["done"] == 0:
        seen.append(running.stderr.readline())
    running.send_signal(signal.SIGINT)
    code, out, err = finish(running)

    assert code == 130
    assert "Traceback" not in err
    answers = json.loads(out)["objects"]
    assert json.loads(out)["error"]["code"] == "cancelled"
    assert 0 < len(answers) < len(paths)
    held = [view["poid"] for view in line.json("list")["objects"]]
    assert [answer["poid"] for answer in answers] == held
    assert line.json("deposit", *paths[len(answers) :][:5])["objects"]
    assert line.json("audit")["findings"] == []
