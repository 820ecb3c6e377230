"""Write docs/reference/problem-types.md from the classes of errors and their texts.

Run it after an error was added or changed: `python tools/problem_page.py`. A test holds that it was run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import api.refusals
from api.problem_texts import error_classes, text_of
from api.problems import TYPE_PREFIX, Problem, problem_of
from archive_core import errors
from archive_core.errors import ArchiveError, RateLimitedError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "problem-types.md"

HEAD = f"""\
# Problem types

<!-- made by tools/problem_page.py from the classes of errors: change them there -->

Every answer that is not what was asked for is a problem document (RFC 9457, `application/problem+json`):

```json
{{"type": "{TYPE_PREFIX}size-limit", "title": "The submission exceeds a limit of its preservation profile.",
 "status": 413, "detail": "…", "facts": {{}}}}
```

| member | is |
| --- | --- |
| `type` | `{TYPE_PREFIX}` and a code of the table below: what programs decide by. It never changes its meaning |
| `title` | the sentence of the table, in English or Czech, as `Accept-Language` asks |
| `status` | the HTTP status |
| `detail` | what was wrong this time |
| `facts` | values that belong to it, such as `reason` or `retry_after`; may be absent |
| `instance` | for status 500 and above: `urn:uuid:` and the request id, by which the operator finds it in the log |

Every answer has the request id as `X-Request-Id`. With 401 comes `WWW-Authenticate`, with 405 `Allow`, with 416
`Content-Range`. Where a row has *again*, the answer has `Retry-After` (seconds), and the same request is worth
repeating; with the same idempotency key nothing is doubled. Settings and versions that stop the program from starting
are told on the command line alone: see [exit codes](exit-codes.md), which has the same codes.

| code | HTTP | again | English | Czech |
| --- | --- | --- | --- | --- |
"""

WEB = (Problem("internal", 500), Problem("no-such-address", 404), Problem("method-not-allowed", 405))
"""What only the web itself can run into; 413 and other refusals of the framework have the codes of ours."""


def classes() -> list[type[ArchiveError]]:
    """Every error that the program can utter, by the order of its code."""
    modules = {errors.__name__, api.refusals.__name__}
    return sorted((kind for kind in error_classes() if kind.__module__ in modules), key=lambda kind: kind("").code)


def problems() -> list[Problem]:
    """What each of them is answered as; several that are told alike are one."""
    made = [
        problem_of(kind("", retry_after=1) if issubclass(kind, RateLimitedError) else kind("", size=0))
        for kind in classes()
    ]
    return sorted({one.code: one for one in (*made, *WEB)}.values(), key=lambda one: (one.status, one.code))


def page() -> str:
    """The page as Markdown."""
    rows = []
    for one in problems():
        again = "again" if "Retry-After" in one.headers else ""
        texts = [text_of(one.code, language).replace("\n", " ").replace("|", "\\|") for language in ("en", "cs")]
        rows.append(f"| `{one.code}` | {one.status} | {again} | {texts[0]} | {texts[1]} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
