"""A seal tells changed bytes from those that were sealed, and takes what has none as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitforge.errors import ModelError
from digitforge.forge import Forge
from digitforge.seal import is_broken, is_broken_text, sealed, sealed_line, sealed_text, unsealed_line
from tiny_models import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file without a seal, as older versions wrote them."""
    return write_model(tmp_path_factory.mktemp("model") / "model.onnx")


def test_a_sealed_model_draws_what_it_drew_without_a_seal(model: Path, tmp_path: Path) -> None:
    (tmp_path / "sealed.onnx").write_bytes(sealed(model.read_bytes()))
    one, other = (Forge.load(path).generate(count=20).images for path in (model, tmp_path / "sealed.onnx"))
    assert (one == other).all()


@given(data=st.data())
def test_any_changed_byte_of_a_sealed_model_is_noticed_or_is_the_seals_own(model: Path, data: st.DataObject) -> None:
    whole = bytearray(sealed(model.read_bytes()))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    assert is_broken(bytes(whole)) or bytes(whole[: len(model.read_bytes())]) == model.read_bytes()


def test_a_changed_model_is_refused_with_the_way_on(model: Path, tmp_path: Path) -> None:
    whole = bytearray(sealed(model.read_bytes()))
    whole[len(whole) // 2] ^= 1
    (tmp_path / "changed.onnx").write_bytes(whole)
    with pytest.raises(ModelError, match=r"changed\.onnx is damaged or was changed.*copy or make it again"):
        Forge.load(tmp_path / "changed.onnx")


def test_what_has_no_seal_is_taken_as_it_is() -> None:
    assert not is_broken(b"")
    assert not is_broken(bytes(500))
    assert not is_broken_text("seed = 1\n")
    assert unsealed_line('{"images": 3}') == '{"images": 3}'


@given(text=st.text(), added=st.text(min_size=1))
def test_lines_are_whole_only_as_they_were_sealed(text: str, added: str) -> None:
    assert not is_broken_text(sealed_text(text))
    assert is_broken_text(added + sealed_text(text))


@given(digits=st.text("0123456789", min_size=1), other=st.text("0123456789", min_size=1))
def test_a_table_comes_back_from_its_line_unless_it_was_changed(digits: str, other: str) -> None:
    table = f'{{"images": {digits}}}'
    assert unsealed_line(sealed_line(table)) == table
    if other != digits:
        assert unsealed_line(sealed_line(table).replace(f" {digits},", f" {other},")) is None
