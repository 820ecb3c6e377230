"""Texts for people, in English and in Czech.

Rules kept here
 * The English text is the key; every text of the command line has its Czech one (a test holds that).
 * The language follows LANGUAGE, LC_ALL, LC_MESSAGES, LANG, as everywhere on the system. Machines get
   no translated text: JSON, codes and logs are English (`speaking`).
 * In Czech the product is a "důvěryhodné úložiště", never an archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module

LANGUAGES = ("en", "cs")

_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


def language(environment: Mapping[str, str] | None = None) -> str:
    """`en` or `cs`, as the environment asks."""
    environment = os.environ if environment is None else environment
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for wanted in environment.get(name, "").split(":"):
            code = wanted.partition(".")[0].partition("_")[0].partition("@")[0].lower()
            if code in LANGUAGES:
                return code
            if code in ("c", "posix"):
                return "en"
    return "en"


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak that language for the block, whatever the environment asks."""
    token = _spoken.set(code)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> str:
    """The language of `text` just now."""
    return _spoken.get() or language()


@cache
def _translations(code: str) -> Mapping[str, str]:
    if code == "en":
        return {}
    texts: Mapping[str, str] = import_module(f"api.locale.{code}").TEXTS
    return texts


def text(english: str, /, **facts: object) -> str:
    """The text in the language that is spoken, with its `{facts}` filled in."""
    found = _translations(spoken()).get(english, english)
    return found.format(**facts) if facts else found


def marked(english: str, /) -> str:
    """The text itself: marks one that stands in a table and is translated where it is shown."""
    return english
