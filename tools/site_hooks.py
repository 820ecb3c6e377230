"""What the site does with a page before it is made: links to files that are no pages, and commands inside steps.

Rules kept here
 * Numbered steps are indented by three columns in the source, as CommonMark has it; MkDocs wants four, and code without
   fences there.
 * A link that leads out of `docs/` becomes the path of that file in the source; in the source itself it stays a link.
 * One whose file is not there ends the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")
_STEP = re.compile(r"[0-9]+\. ")


def outside_told(text: str, page: Path, docs: Path) -> str:
    """The text of a page, links out of `docs` told as paths; raises FileNotFoundError for one that leads nowhere."""
    root = docs.parent

    def told(link: re.Match[str]) -> str:
        target = (page.parent / link[2]).resolve()
        if target.is_relative_to(docs):
            return link[0]
        if not target.is_relative_to(root) or not target.exists():
            raise FileNotFoundError(f"{page}: {link[2]} leads nowhere")
        path = f"`{target.relative_to(root)}`"
        return path if link[1].strip("`") == path.strip("`") else f"{link[1]} ({path})"

    return _LINK.sub(told, text)


def steps_indented(text: str) -> str:
    """The text of a page with what belongs to numbered steps indented as MkDocs reads it."""
    lines, inside, fenced = [], False, False
    for line in text.split("\n"):
        if line and not line.startswith(" ") and not fenced:
            inside = bool(_STEP.match(line))
        belongs = inside and line.startswith("   ")
        if belongs and line.lstrip().startswith("```"):
            fenced = not fenced
            lines.append("")
        elif belongs:
            lines.append((" " * 8 if fenced else " " * 4) + line[3:])
        else:
            lines.append(line)
    return "\n".join(lines)


def on_page_markdown(markdown: str, *, page: Any, config: Mapping[str, Any], **_: Any) -> str:
    """Called by MkDocs for each page."""
    docs = Path(str(config["docs_dir"])).resolve()
    return outside_told(steps_indented(markdown), docs / page.file.src_uri, docs)
