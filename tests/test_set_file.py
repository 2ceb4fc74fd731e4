"""A set of specialists: each label drawn by its own model, and nothing believed of a file that anybody may make."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitforge.card import Card
from digitforge.errors import ModelError
from digitforge.forge import Forge
from digitforge.set_file import SetFile, open_set, set_card, write_set
from tiny_models import LATENT, LEVEL, card_table, write_model

FOUR = 4  # what the model for the label 5 draws, as nobody tells it a label; that for 3 is told, and draws a 3


def own_table(label: int, **changes: Any) -> dict[str, Any]:
    """The card of a specialist of one label."""
    frequencies = [10 * (label + 1) * (each == label) for each in range(10)]
    return card_table(**{"frequencies": frequencies, "weights_sha256": f"{label:064x}", **changes})


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two specialists that draw differently: for 3 a conditional one, for 5 an unconditional one."""
    folder = tmp_path_factory.mktemp("members")
    told = write_model(folder / "3.onnx", card=own_table(3))
    free = write_model(folder / "5.onnx", card=own_table(5, conditional=False), conditional=False, spread=0)
    return {3: told, 5: free}


def make_set(path: Path, members: dict[int, Path]) -> Path:
    cards = {label: Forge.load(member).card for label, member in members.items()}
    write_set(path, set_card(cards, {"name": "tiny"}), {label: path.read_bytes() for label, path in members.items()})
    return path


@pytest.fixture
def set_path(tmp_path: Path, members: dict[int, Path]) -> Path:
    return make_set(tmp_path / "model.zip", members)


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED) -> Path:
    """The same archive with other files in it."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def with_card(path: Path, **changes: Any) -> Path:
    """The same set with other entries in its card."""

    def change(files: dict[str, bytes]) -> None:
        files["card.json"] = json.dumps(json.loads(files["card.json"]) | changes).encode()

    return rewrite(path, change)


def levels(images: np.ndarray) -> list[int]:
    return np.rint(images.mean((1, 2, 3)) / LEVEL).astype(int).tolist()


def test_each_label_is_drawn_by_its_own_model(set_path: Path) -> None:
    latents = np.zeros((5, LATENT), np.float32)
    images = Forge.load(set_path).draw(latents, np.asarray([5, 3, 3, 5, 3]))
    assert levels(images) == [FOUR, 3, 3, FOUR, 3]


@pytest.mark.parametrize("digit", [3, 5])
def test_a_set_draws_what_the_specialist_alone_draws(set_path: Path, members: dict[int, Path], digit: int) -> None:
    together, alone = (Forge.load(path).generate(digit, 30, seed=4) for path in (set_path, members[digit]))
    np.testing.assert_array_equal(together.images, alone.images)
    assert set(together.labels) == {digit}


def test_everything_of_forge_works_on_a_set(set_path: Path) -> None:
    forge = Forge.load(set_path)
    assert forge.names == ("3", "5")
    assert forge.is_told
    assert not forge.can_blend
    assert forge.path == set_path
    assert len(forge.sha256) == 64
    digits = forge.generate(count=50, seed=1)  # 40 and 60 training images
    assert digits.counts.tolist() == [0, 0, 0, 20, 0, 30, 0, 0, 0, 0]
    assert [len(part.digits) for part in forge.batches(count=700)] == [500, 200]
    with pytest.raises(ModelError, match="was trained on 3 and 5, not '7'"):
        forge.generate(7)


def test_the_folder_of_specialists_stands_for_its_set(set_path: Path) -> None:
    assert Forge.load(set_path.parent).path == set_path


def test_the_card_sums_up_its_members(set_path: Path) -> None:
    card = Forge.load(set_path).card
    assert card.frequencies == (0, 0, 0, 40, 0, 60, 0, 0, 0, 0)
    assert (card.images, card.data.count, card.conditional) == (2 * 6400, 200, True)
    assert card.recipe == {"name": "tiny"}


def test_the_hash_of_the_weights_hears_every_member() -> None:
    cards = {label: Card.from_json(json.dumps(own_table(label))) for label in (3, 5)}
    swapped = {3: cards[5], 5: cards[3]}
    hashes = {set_card(each, {}).weights_sha256 for each in (cards, swapped, {3: cards[3]})}
    assert len(hashes) == 3


def test_equal_members_make_equal_bytes_without_a_clock_in_them(tmp_path: Path, members: dict[int, Path]) -> None:
    first, second = (make_set(tmp_path / name, members) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["card.json", "3.onnx", "5.onnx"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_member_is_opened_when_it_first_draws(set_path: Path) -> None:
    def spoil(files: dict[str, bytes]) -> None:
        files["5.onnx"] = b"spoiled"

    forge = Forge.load(rewrite(set_path, spoil))
    assert levels(forge.generate(3, 4).images) == [3] * 4
    with pytest.raises(ModelError, match=r"model\.zip/5\.onnx is not the file that its set's card lists"):
        forge.generate(5)


def test_a_member_is_opened_once(set_path: Path) -> None:
    forge = Forge.load(set_path)
    forge.generate(count=20)
    set_path.unlink()
    forge.generate(count=20)


def swap(files: dict[str, bytes]) -> None:
    files["3.onnx"], files["5.onnx"] = files["5.onnx"], files["3.onnx"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap, r"3\.onnx is not the file"),
        (lambda files: files.pop("3.onnx"), "does not hold just the files"),
        (lambda files: files.update({"../../evil": b""}), "does not hold just the files"),
        (lambda files: files.pop("card.json"), r"a zip without card\.json"),
        (lambda files: files.update({"card.json": b"\xff"}), "no set that can be used"),
        (lambda files: files.update({"card.json": b"{"}), "the card is no JSON"),
        (lambda files: files.update({f"{number}.txt": b"" for number in range(2000)}), "no set of specialists"),
    ],
)
def test_a_set_of_other_files_than_its_card_lists_is_refused(
    set_path: Path, change: Callable[[dict[str, bytes]], None], words: str
) -> None:
    with pytest.raises(ModelError, match=rf"model\.zip.*{words}"):
        Forge.load(rewrite(set_path, change))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": None}, '"members" must have one entry'),
        ({"members": {"3": "ab" * 32}}, '"members" must have one entry'),
        ({"members": {"3": "ab", "5": "cd"}}, '"members" must be hashes'),
        ({"conditional": False}, "its card promises otherwise"),
        ({"format": 2}, "format 2"),
        ({"shape": [1, 14, 14]}, "draws something else than its set's card says"),
        ({"latent": {"size": LATENT, "distribution": "uniform"}}, "draws something else than its set's card says"),
        ({"names": list("abcdefghij")}, "draws something else than its set's card says"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(set_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=rf"model\.zip.*{words}"):
        Forge.load(with_card(set_path, **changes))


def test_a_model_of_another_label_is_refused_in_a_members_place(tmp_path: Path, members: dict[int, Path]) -> None:
    four = write_model(tmp_path / "4.onnx", card=own_table(4))
    cards = {label: Forge.load(member).card for label, member in members.items()}
    contents = {3: four.read_bytes(), 5: members[5].read_bytes()}
    write_set(tmp_path / "model.zip", set_card(cards, {}), contents)
    with pytest.raises(ModelError, match=r"3\.onnx draws something else"):
        Forge.load(tmp_path / "model.zip")


def test_a_compressed_set_is_refused_with_the_way_on(set_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.zip is compressed.*-0"):
        Forge.load(rewrite(set_path, lambda files: None, zipfile.ZIP_DEFLATED))


def test_a_list_of_entries_that_overrules_the_short_one_is_refused(set_path: Path) -> None:
    content = set_path.read_bytes()
    set_path.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])
    with pytest.raises(ModelError, match="no set of specialists, or a damaged one"):
        Forge.load(set_path)


def test_a_file_in_the_place_of_one_of_the_other_kind_is_refused(
    set_path: Path, members: dict[int, Path], tmp_path: Path
) -> None:
    shutil.copy(set_path, tmp_path / "model.onnx")
    shutil.copy(members[3], tmp_path / "other.zip")
    for name in ("model.onnx", "other.zip"):
        with pytest.raises(ModelError, match=f"{name} is .*set of specialists, other than its name says"):
            Forge.load(tmp_path / name)
    shutil.copy(set_path, tmp_path / "set")
    assert Forge.load(tmp_path / "set").names == ("3", "5")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_no_model(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "digits.npz", images=np.zeros((2, 28, 28), np.uint8), labels=np.zeros(2, np.int64))
    with pytest.raises(ModelError, match=r"digits\.npz holds arrays, such as images, and no model; name a run folder"):
        Forge.load(tmp_path / "digits.npz")


def test_any_zip_is_not_a_set(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    with pytest.raises(ModelError, match=r"some\.zip is a zip without card\.json"):
        Forge.load(tmp_path / "some.zip")


def test_a_damaged_set_is_one_error_that_names_the_file(set_path: Path, tmp_path: Path) -> None:
    content = set_path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = tmp_path / "damaged.zip"
    for trial in range(200):
        if trial % 4 == 0:
            changed = content[: rng.integers(4, len(content))]
        else:
            garbled = bytearray(content)
            # Mostly where a zip says what it holds: its head and its tail.
            places = [rng.integers(4, 60), rng.integers(4, len(content)), -rng.integers(1, 220)]
            garbled[places[trial % 4 - 1]] = rng.integers(256)
            changed = bytes(garbled)
        damaged.write_bytes(changed)
        try:
            Forge.load(damaged).generate(count=4)
        except ModelError as error:
            assert "damaged.zip" in str(error)
            assert "\n" not in str(error)


def test_a_set_that_has_gone_is_an_error(set_path: Path) -> None:
    opened = open_set(set_path)
    assert isinstance(opened, SetFile)
    shutil.move(set_path, set_path.with_name("elsewhere.zip"))
    with pytest.raises(ModelError, match=r"cannot read the model file .*model\.zip"):
        opened.run({"latent": np.zeros((1, LATENT), np.float32), "label": np.asarray([3])})
