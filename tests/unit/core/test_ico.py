"""Identification numbers of Czech organisations."""

from __future__ import annotations

import pytest

from archive_core.organisations import is_ico

REAL = ["00064581", "70891508", "25063677", "00006947", "27082440", "45274649", "00020478", "70890749", "26185610"]


@pytest.mark.parametrize("number", REAL)
def test_real_numbers_have_their_check_digit(number: str) -> None:
    """Of capital, regions, ministries and companies."""
    assert is_ico(number)


@pytest.mark.parametrize("number", REAL)
def test_one_wrong_digit_is_found(number: str) -> None:
    """Whatever digit is taken for another one in the last place, and a neighbour in the others."""
    assert not any(is_ico(number[:7] + digit) for digit in "0123456789" if digit != number[7])
    for place in range(7):
        assert not is_ico(number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :])


@pytest.mark.parametrize("text", ["", "7089150", "708915080", "7089150a", " 70891508", "７０８９１５０８", "-0891508"])
def test_what_is_not_eight_digits_is_none(text: str) -> None:
    """Neither shorter nor longer, nor with other signs."""
    assert not is_ico(text)
