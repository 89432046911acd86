"""Check digits of published number formats."""

from __future__ import annotations


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B: with every second digit from the right doubled, the digits sum to tens."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(doubled)) % 10 == 0


def modulo_97(value: str) -> int:
    """ISO/IEC 7064, MOD 97-10, of a row of digits and letters: a letter counts as 10 (A) to 35 (Z)."""
    return int("".join(str(int(character, 36)) for character in value)) % 97
