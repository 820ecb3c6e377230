"""Texts for people, in English and in Czech.

Rules kept here
 * The English text is the key; a translation that is missing shows in English, and a test says which.
 * The language follows LANGUAGE, LC_ALL, LC_MESSAGES, LANG, as everywhere on the system. Machines get
   no translated text: JSON keys, codes and logs are English.
 * In Czech the product is a "důvěryhodné úložiště", never an archive.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module

LANGUAGES = ("en", "cs")


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


@cache
def _translations(code: str) -> Mapping[str, str]:
    if code == "en":
        return {}
    texts: Mapping[str, str] = import_module(f"api.locale.{code}").TEXTS
    return texts


def text(english: str, /, **facts: object) -> str:
    """The text in the language of the environment, with its `{facts}` filled in."""
    found = _translations(language()).get(english, english)
    return found.format(**facts) if facts else found
