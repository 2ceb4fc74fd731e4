"""Quantities as they are written."""

from __future__ import annotations

import math

from digitforge.report.quantities import number


def test_numbers_are_written_in_three_digits() -> None:
    written = [number(value) for value in (0.03251, 1270.4, 2.0, 0.0, math.inf, -0.5)]
    assert written == ["0.0325", "1,270", "2.00", "0", "inf", "-0.500"]


def test_what_rounding_leaves_of_nothing_is_nothing() -> None:
    assert [number(value) for value in (-1.1e-16, 4e-7, -0.000002)] == ["0", "0", "-0.000002"]
