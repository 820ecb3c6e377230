"""The documentation holds together: every page has its place, no link leads nowhere, no page asks anybody else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from api.problem_texts import text_of
from archive_core.errors import CatalogueUnavailableError
from tests.vectors import REPOSITORY
from tools import problem_page
from tools.site_hooks import outside_told

DOCS = REPOSITORY / "docs"
KINDS = ["Tutorial", "How-to", "Reference", "Explanation"]


def navigation() -> list[object]:
    settings = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8"))
    found = settings["nav"]
    assert isinstance(found, list)
    return found


def pages_of(entries: object) -> list[str]:
    """Every page below an entry of the navigation."""
    if isinstance(entries, str):
        return [entries]
    below = entries.values() if isinstance(entries, dict) else entries
    assert isinstance(below, (list, type({}.values())))
    return [page for one in below for page in pages_of(one)]


def test_every_page_has_one_place_in_the_navigation() -> None:
    """In one of the four kinds, or as the first page; and nothing else stands there."""
    entries = navigation()
    assert [next(iter(one)) for one in entries if isinstance(one, dict)] == KINDS
    there = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    assert sorted(pages_of(entries)) == there
    assert len(there) > 25


def test_every_page_has_one_title() -> None:
    """Its first line."""
    for path in DOCS.rglob("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)
        assert text.startswith("# "), path
        assert len(re.findall(r"^# ", text, re.M)) == 1, path


def test_the_page_of_problem_types_is_what_the_code_generates() -> None:
    """Whoever adds an error runs `python tools/problem_page.py`."""
    assert problem_page.PAGE.read_text("utf-8") == problem_page.page()
    assert len(problem_page.problems()) > 50


def test_what_a_problem_is_called_does_not_hang_on_what_is_loaded() -> None:
    """A class that shares the code of a more general one, in whatever module, does not change its sentence."""
    before = text_of("catalogue-unavailable", "en")

    class UndoneError(CatalogueUnavailableError):
        """Something that only one part of the program knows."""

        code = "catalogue-unavailable"

    assert UndoneError("").code == "catalogue-unavailable"
    assert text_of("catalogue-unavailable", "en") == before == CatalogueUnavailableError.__doc__


def test_a_link_out_of_the_documentation_is_told_as_a_path() -> None:
    """A site has no such page; a link to nothing is refused, in the documentation and out of it."""
    page = DOCS / "reference" / "changes.md"
    assert outside_told("see [it](../../LICENSE)", page, DOCS) == "see it (`LICENSE`)"
    assert outside_told("see [`LICENSE`](../../LICENSE)", page, DOCS) == "see `LICENSE`"
    assert outside_told("see [it](../stores.md)", page, DOCS) == "see [it](../stores.md)"
    for nowhere in ("../../NOTHING", "../../../etc/passwd", "../../../../../../etc/passwd"):
        with pytest.raises(FileNotFoundError, match="leads nowhere"):
            outside_told(f"see [it]({nowhere})", page, DOCS)


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(root / "mkdocs.yml"), "-d"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run([*command, str(site)], capture_output=True, text=True, timeout=120, env=environment)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_nobody_else(tmp_path: Path) -> None:
    """Strictly: each warning ends the build. Scripts, styles, fonts and pictures come with it."""
    done = build(REPOSITORY, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    made = sorted((tmp_path / "site").rglob("*.html"))
    assert len(made) >= len(pages_of(navigation()))
    for path in made:
        fetched = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?((?:https?:)?//[^\"'> ]+)", path.read_text()
        )
        assert fetched == [], path
        assert "```" not in path.read_text("utf-8"), path
    steps = (tmp_path / "site" / "connect-your-hsm.html").read_text("utf-8")
    assert len(re.findall(r"<pre>", re.findall(r"<ol>.*?</ol>", steps, re.S)[0])) > 2
    for path in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", path.read_text("utf-8")), path


@pytest.mark.slow
def test_links_to_nothing_end_the_build(tmp_path: Path) -> None:
    """A page, an anchor, an address that only works at one place: each is named."""
    for name in ("mkdocs.yml", "tools"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "docs").mkdir()
    text = (tmp_path / "mkdocs.yml").read_text("utf-8")
    (tmp_path / "mkdocs.yml").write_text(text[: text.index("nav:\n")] + "nav:\n  - index.md\n")
    (tmp_path / "docs" / "index.md").write_text("# A page\n\n[a](no-page.md) [b](#no-anchor) [c](/no-place.html)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for nowhere in ("no-page.md", "#no-anchor", "/no-place.html"):
        assert f"'{nowhere}'" in done.stderr, done.stderr
