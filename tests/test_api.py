"""The package's own names: each arrives when it is first used, and none before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import digitforge


@pytest.mark.parametrize("name", digitforge.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(digitforge, name) is not None
    assert name in dir(digitforge)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = digitforge.nothing_such


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, digitforge; print(*[name for name in ('numpy', 'torch', 'onnxruntime') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
