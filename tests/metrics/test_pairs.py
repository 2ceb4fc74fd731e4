"""Blocks of rows: every row once, whatever the sizes; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from digitforge.metrics.pairs import PAIRS_AT_ONCE, check_features, row_blocks


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (10, PAIRS_AT_ONCE * 2), (5000, 1000), (3, PAIRS_AT_ONCE // 2)])
def test_blocks_hold_every_row_once_and_few_pairs(rows: int, columns: int) -> None:
    blocks = list(row_blocks(rows, columns))
    np.testing.assert_array_equal(np.concatenate([np.arange(rows)[block] for block in blocks]), np.arange(rows))
    assert all((block.stop - block.start) * columns <= max(columns, PAIRS_AT_ONCE) for block in blocks)


def test_features_that_fit_pass() -> None:
    check_features(np.zeros((2, 3)), np.zeros((5, 3)), least=2)


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least 2 vectors, not 1 and 5"),
        (np.zeros((5, 3)), np.zeros((0, 3)), "at least 2 vectors, not 5 and 0"),
        (np.zeros((5, 3)), np.zeros((5, 4)), r"not \[5, 3\] and \[5, 4\]"),
        (np.zeros(5), np.zeros(5), r"not \[5\]"),
        (np.zeros((5, 0)), np.zeros((5, 0)), r"not \[5, 0\]"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "finite"),
        (np.zeros((5, 3)), np.full((5, 3), -np.inf), "finite"),
    ],
)
def test_features_that_do_not_fit_are_refused(a: np.ndarray, b: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_features(a, b, least=2)
