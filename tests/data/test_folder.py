"""Folders of images: classes, grey and colour, sizes, and the images that are refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from digitforge.data import read_path
from digitforge.errors import DataError


def draw(path: Path, size: tuple[int, int] = (28, 28), mode: str = "L", ink: int = 200) -> Path:
    """An image file of one even colour; size is height, width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = {"L": ink, "RGB": (ink, 10, 20), "RGBA": (ink, 10, 20, 128), "1": 1, "I;16": ink * 257}[mode]
    Image.new(mode, (size[1], size[0]), colour).save(path)
    return path


def test_each_sub_folder_is_a_class_and_digits_are_their_numbers(tmp_path: Path) -> None:
    for name in ("9", "3"):
        draw(tmp_path / name / "a.png", ink=int(name))
    data = read_path(tmp_path)
    assert data.train.names == tuple("0123456789")
    assert data.train.labels.tolist() == [3, 9] == data.train.images[:, 0, 0, 0].tolist()


def test_other_names_are_sorted_numbers_by_value(tmp_path: Path) -> None:
    for name in ("10", "9", "seven", ".hidden", "__MACOSX"):
        draw(tmp_path / name / "a.png")
    assert read_path(tmp_path).train.names == ("9", "10", "seven")


def test_train_and_test_folders_are_the_parts(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "cat" / "a.png")
    draw(tmp_path / "train" / "dog" / "b.png")
    draw(tmp_path / "test" / "dog" / "c.png")
    data = read_path(tmp_path)
    assert data.train.names == ("cat", "dog")
    assert data.test is not None
    assert data.test.labels.tolist() == [1]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_what_is_called_for_validation_is_held_out_where_nothing_is_called_test(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "train" / "cat" / "a.png")
    draw(tmp_path / name / "dog" / "c.png", ink=90)
    data = read_path(tmp_path)
    assert data.test is not None
    assert [data.test.names[label] for label in data.test.labels] == ["dog"]
    assert data.test.images.max() == 90
    assert data.notes == ()


def test_a_folder_for_validation_without_classes_is_no_part(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "cat" / "a.png")
    draw(tmp_path / "val" / "loose.png")
    draw(tmp_path / "valid" / "cat" / "b.png")
    data = read_path(tmp_path)
    assert data.test is not None
    assert data.notes == ("left out: val (beside train and valid)",)


def left_out(folder: Path) -> list[str]:
    """What a note says is left out."""
    notes = [note for note in read_path(folder).notes if note.startswith("left out: ")]
    assert len(notes) <= 1
    return notes[0].removeprefix("left out: ").split("; ") if notes else []


def test_what_lies_beside_train_and_test_is_named(tmp_path: Path) -> None:
    for place in ("train/cat", "test/cat", "val/cat", "cat"):
        draw(tmp_path / place / "a.png")
    draw(tmp_path / "loose.png")
    draw(tmp_path / "train" / "loose.png")
    (tmp_path / "labels.csv").write_text("a,b")
    assert left_out(tmp_path) == [
        "1 image beside train and test",
        "1 image beside the class folders",
        "cat (beside train and test)",
        "val (beside train and test)",
    ]


def test_images_beside_class_folders_are_counted(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png")
    for number in range(6):
        draw(tmp_path / f"{number}.png")
    assert left_out(tmp_path) == ["6 images beside the class folders"]


def test_a_folder_of_which_nothing_can_be_read_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "cat" / "a.png")
    (tmp_path / "train" / "cow").mkdir()
    (tmp_path / "train" / "cow" / "a.heic").write_bytes(b"a telephone's")
    assert left_out(tmp_path) == ["train/cow (no image of a kind that can be read)"]


def test_images_of_other_kinds_in_a_class_folder_are_counted_and_other_files_are_not(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png")
    for name in ("b.HEIC", "c.heic", "d.avif", "Thumbs.db", "labels.txt"):
        (tmp_path / "cat" / name).write_bytes(b"something")
    assert left_out(tmp_path) == ["2 images of the kind .heic", "1 image of the kind .avif"]


def test_images_in_deeper_folders_are_named(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png")
    draw(tmp_path / "cat" / "more" / "b.png")
    draw(tmp_path / "dog" / "brown" / "a.png")
    assert left_out(tmp_path) == ["dog (images only in folders inside it)", "cat/more (inside a class folder)"]


def test_many_folders_that_are_left_out_are_counted(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png")
    for number in range(9):
        (tmp_path / f"empty-{number}").mkdir()
    assert len(left_out(tmp_path)) == 6
    assert left_out(tmp_path)[-1] == "4 more folders"


def test_a_name_that_steers_a_terminal_is_shown_in_letters(tmp_path: Path) -> None:
    draw(tmp_path / "cat" / "a.png")
    (tmp_path / "\x1b[2J").mkdir()
    assert left_out(tmp_path) == [r"'\x1b[2J' (no image of a kind that can be read)"]


def test_hidden_things_are_left_out_without_a_word(tmp_path: Path) -> None:
    for place in ("train/cat", "train/.git", "__MACOSX", ".cache", "train/cat/.thumbnails"):
        draw(tmp_path / place / "a.png")
    draw(tmp_path / ".hidden.png")
    assert left_out(tmp_path) == []


def test_all_grey_is_grey_whatever_its_depth(tmp_path: Path) -> None:
    draw(tmp_path / "0" / "eight.png", ink=100)
    draw(tmp_path / "1" / "sixteen.png", mode="I;16", ink=100)
    draw(tmp_path / "2" / "one.png", mode="1")
    Image.new("L", (28, 28), 70).quantize(4).save(tmp_path / "0" / "palette.png")
    train = read_path(tmp_path).train
    assert train.shape == (1, 28, 28)
    assert [train.images[place].max() for place in range(4)] == [100, 70, 100, 255]


def test_one_colour_image_makes_all_colour(tmp_path: Path) -> None:
    draw(tmp_path / "0" / "grey.png", (32, 32), ink=50)
    draw(tmp_path / "1" / "colour.png", (32, 32), "RGB", ink=60)
    images = read_path(tmp_path).train.images
    assert images[:, :, 5, 5].tolist() == [[50, 50, 50], [60, 10, 20]]


@pytest.mark.parametrize("side", [28, 32])
def test_known_sizes_are_kept_without_a_note_on_them(tmp_path: Path, side: int) -> None:
    draw(tmp_path / "0" / "a.png", (side, side))
    data = read_path(tmp_path)
    assert data.train.shape == (1, side, side)
    assert not any("resized" in note for note in data.notes)


@pytest.mark.parametrize(("mode", "side"), [("L", 28), ("RGB", 32)])
def test_other_sizes_are_resized_with_a_note(tmp_path: Path, mode: str, side: int) -> None:
    draw(tmp_path / "0" / "a.png", (64, 50), mode)
    draw(tmp_path / "0" / "b.png", (64, 50), mode)
    data = read_path(tmp_path)
    assert data.train.shape[1:] == (side, side)
    assert f"2 images resized from 64x50 to {side}x{side} (height x width, in pixels)" in data.notes


def test_mixed_sizes_go_to_the_most_common_known_one(tmp_path: Path) -> None:
    for name, size in (("a", (32, 32)), ("b", (32, 32)), ("c", (90, 40))):
        draw(tmp_path / "0" / f"{name}.png", size)
    data = read_path(tmp_path)
    assert data.train.shape == (1, 32, 32)
    assert "1 images resized from 90x40 to 32x32 (height x width, in pixels)" in data.notes


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing: what a decompression bomb looks like from outside."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"\0")
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk
        + struct.pack(">I", len(data) - 4)
        + data
        + struct.pack(">I", zlib.crc32(data))
        + end
    )


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_photo_that_lies_on_its_side_is_put_upright(tmp_path: Path, kind: str) -> None:
    path = draw(tmp_path / "0" / f"photo.{kind}", (20, 40), ink=0)
    with Image.open(path) as plain:
        lying = plain.copy()
    lying.paste(255, (0, 0, 10, 20))  # its left quarter, which is the upper one of the upright photo
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying.save(path, exif=exif)
    (image,) = read_path(tmp_path).train.images[:, 0]
    assert image[0].mean() > 200 > 50 > image[-1].mean()


@pytest.mark.parametrize("side", [5_000, 12_000, 60_000])
def test_too_large_an_image_is_refused_unopened(tmp_path: Path, side: int) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "bomb.png").write_bytes(png_header(side, side))
    with pytest.raises(DataError, match=r"bomb\.png .*crop it to one digit"):
        read_path(tmp_path)


def test_unreadable_image_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "0" / "a.png")
    (tmp_path / "0" / "b.png").write_text("no image")
    with pytest.raises(DataError, match=r"b\.png is no readable image"):
        read_path(tmp_path)


@pytest.mark.parametrize("end", ["png", "gif", "bmp"])
def test_cut_off_image_is_named(tmp_path: Path, end: str) -> None:
    path = tmp_path / "0" / f"a.{end}"
    path.parent.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=rf"a\.{end} is a damaged image"):
        read_path(tmp_path)


def test_transparent_image_is_refused_and_opaque_alpha_dropped(tmp_path: Path) -> None:
    path = draw(tmp_path / "0" / "a.png", (32, 32), "RGBA")
    with pytest.raises(DataError, match=r"a\.png is partly transparent"):
        read_path(tmp_path)
    Image.new("RGBA", (32, 32), (1, 2, 3, 255)).save(path)
    assert read_path(tmp_path).train.images[0, :, 0, 0].tolist() == [1, 2, 3]


def test_image_of_unknown_range_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    Image.new("F", (28, 28), 0.5).save(tmp_path / "0" / "a.tiff")
    with pytest.raises(DataError, match="32 bits a pixel"):
        read_path(tmp_path)


def test_folder_without_classes_says_how_to_arrange_it(tmp_path: Path) -> None:
    draw(tmp_path / "loose.png")
    with pytest.raises(
        DataError, match=r"one sub-folder of images a class \(such as cat/a\.png, dog/b\.png\)"
    ) as caught:
        read_path(tmp_path)
    assert "without labels put all images into one sub-folder and train express-untold" in str(caught.value)
