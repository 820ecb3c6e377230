"""How a check inside this package ends early: with a verdict, not with a library's exception.

Rules kept here
 * FAILED/FORMAT_FAILURE is what malformed octets lead to, whichever parser stumbled over them.
 * What cannot be judged here is INDETERMINATE/UNSUPPORTED and names the algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.exceptions import UnsupportedAlgorithm

from archive_core.findings import SubIndication, Verdict
from signing.signature_math import UnsupportedAlgorithmError


class Judgement(Exception):  # noqa: N818 - an outcome that ends the check, not an error of the program
    """A check that did not pass, with the verdict it leads to."""

    def __init__(self, verdict: Verdict, sub_indication: SubIndication, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.sub_indication = sub_indication
        self.message = message


def malformed(message: str) -> Judgement:
    return Judgement(Verdict.FAILED, SubIndication.FORMAT_FAILURE, message)


def unsupported(message: str) -> Judgement:
    return Judgement(Verdict.INDETERMINATE, SubIndication.UNSUPPORTED, f"cannot be judged here: {message}")


PARSER_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NotImplementedError)
"""What asn1crypto, certvalidator and cryptography raise over octets that they do not understand."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns what parsers say about malformed octets into FAILED/FORMAT_FAILURE."""
    try:
        yield
    except (UnsupportedAlgorithmError, UnsupportedAlgorithm) as error:
        raise unsupported(f"{error} ({what})") from error
    except PARSER_ERRORS as error:
        raise malformed(f"{what} cannot be read: {error}") from error
