"""The package's own names: each arrives when it is first used, and none before."""

from __future__ import annotations

import importlib.util
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


def test_without_the_extra_train_says_what_to_install_and_the_rest_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    missing = ("lightning_fabric", "onnxscript")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else found(name))
    monkeypatch.delitem(vars(digitforge), "train", raising=False)
    with pytest.raises(ImportError) as caught:
        from digitforge import train  # noqa: F401
    assert str(caught.value).startswith(
        "training needs lightning_fabric, onnxscript, which the plain install leaves out: pip install -c "
        "constraints.txt '.[train]'"
    )
    from digitforge import Forge

    assert Forge.__name__ == "Forge"


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, digitforge; print(*[name for name in ('numpy', 'torch', 'onnxruntime') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
