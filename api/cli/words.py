"""Words that reach people from elsewhere: states, progress, errors, and what argparse says.

Rules kept here
 * What the core calls by an English word is looked up here when it is shown; a word that is not in a
   table is shown as it is.
 * An error is told in the language of the reader as far as its code goes; its detail stays English.
"""

from __future__ import annotations

import inspect
import re

from api.texts import marked, spoken, text
from archive_core.errors import ArchiveError, UsageError

VERIFY = "verify"
"""What `trace` takes in a POID's place."""

STATES = (marked("replicated"), marked("quarantined"), marked("evidenced"), marked("destroyed"))

PROGRESS = (
    marked("depositing"),
    marked("collecting"),
    marked("stamping"),
    marked("retrieving"),
    marked("exporting"),
    marked("verifying"),
    marked("verifying evidence"),
    marked("repairing"),
    marked("trail"),
    marked("objects"),
    marked("batches"),
    marked("renewals"),
    marked("covering"),
    marked("hashing"),
    marked("statements"),
    marked("rows"),
)
"""What long work says it is doing; `reading STORE` and `comparing STORE` come beside these."""

CHECKED = (
    marked("stores"),
    marked("files"),
    marked("bytes"),
    marked("versions"),
    marked("events"),
    marked("segments"),
    marked("rows"),
    marked("pending"),
    marked("anchors"),
)

WARNINGS = (marked("test trust: time-stamps and seals of this archive prove nothing to anybody else"),)

_OF_A_STORE = {"reading": marked("reading {store}"), "comparing": marked("comparing {store}")}

_ARGPARSE = tuple(
    (re.compile(pattern, re.DOTALL), english)
    for pattern, english in (
        (r"the following arguments are required: (?P<names>.*)", marked("missing: {names}")),
        (r"unrecognized arguments: (?P<names>.*)", marked("unknown: {names}")),
        (r"argument (?P<name>[^:]+): expected one argument", marked("{name} needs a value")),
        (r"argument (?P<name>[^:]+): expected at least one argument", marked("{name} needs at least one value")),
        (
            r"argument (?P<name>[^:]+): invalid choice: (?P<word>.*) \(choose from (?P<choices>.*)\)",
            marked("{name}: {word} is not one of {choices}"),
        ),
        (
            r"argument (?P<name>[^:]+): ignored explicit argument (?P<word>.*)",
            marked("{name} takes no value, not even {word}"),
        ),
    )
)


def progress_word(what: str) -> str:
    """What long work is doing."""
    verb, _, store = what.partition(" ")
    if store and verb in _OF_A_STORE:
        return text(_OF_A_STORE[verb], store=store)
    return text(what)


def mistake(message: str) -> str:
    """What argparse says about a mistake in the words."""
    for pattern, english in _ARGPARSE:
        if found := pattern.fullmatch(message):
            return text(english, **found.groupdict())
    return message


def told(error: ArchiveError) -> str:
    """An error for people: in Czech the sentence of its code comes first, unless the message is one of
    the command line's own, which are translated already. Facts that the message does not name follow."""
    message = str(error)
    facts = ", ".join(f"{name} {value}" for name, value in error.facts.items() if str(value) not in message)
    detail = f"{message} ({facts})" if facts else message
    if spoken() == "en" or isinstance(error, UsageError):
        return detail
    from api.problem_texts import text_of

    sentence = text_of(error.code, spoken())
    detail = facts if message == inspect.getdoc(type(error)) else detail
    return f"{sentence} [{detail}]" if detail else sentence
