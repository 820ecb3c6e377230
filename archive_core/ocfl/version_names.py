"""The names of an object's versions (OCFL 1.1, 3.3): from v1 on, without gaps, in one form."""

from __future__ import annotations

from collections.abc import Iterable

from archive_core.ocfl.vocabulary import shown, version_number

Fault = tuple[str, str]
"""A code of the specification and what is wrong."""


def order_version_names(names: Iterable[str]) -> tuple[list[str], list[Fault]]:
    """The names that are version names, oldest first, and all that is wrong with the names given."""
    numbers: dict[int, str] = {}
    faults: list[Fault] = []
    found = list(names)
    for name in found:
        number = version_number(name)
        if number is None:
            faults += _faults_of_no_version(name)
        elif number in numbers:
            faults.append(("E012", f"{shown(name)} and {numbers[number]} are the same version"))
        else:
            numbers[number] = name
    if found and 1 not in numbers:
        faults.append(("E009", "the versions do not start at 1"))
    if numbers and (max(numbers) != len(numbers) or len(numbers) != len(found)):
        faults.append(("E010", "the versions are not continuous"))
    return [numbers[number] for number in sorted(numbers)], faults + _faults_of_form(list(numbers.values()))


def _faults_of_no_version(name: str) -> list[Fault]:
    faults = [("E046", f"{shown(name)} cannot be the name of a version directory")]
    if not name.startswith("v"):
        return [*faults, ("E104", f"the version {shown(name)} does not start with v")]
    faults.append(("E105", f"{shown(name)} has no positive version number"))
    if name[1:].isdecimal():
        faults.append(("E009", f"{shown(name)} is before the first version"))
    return faults


def _faults_of_form(names: list[str]) -> list[Fault]:
    """Either no name is padded with zeros, or all are, to one width."""
    padded = [name for name in names if name[1] == "0"]
    if not padded:
        return []
    faults = [("W001", "the version names are padded with zeros")]
    unpadded = [name for name in names if name[1] != "0"]
    if unpadded:
        faults.append(("E011", f"{unpadded[0]} has no zero after the v, other versions have"))
    if unpadded or len({len(name) for name in padded}) > 1:
        faults.append(("E012", "the version names are not all of one form"))
        faults.append(("E013", "a version does not follow the naming of the versions before it"))
    return faults
