"""Animations: every frame once, in order, for its time, as a GIF that loops and an MP4 that browsers play."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image, ImageSequence

from digitforge.errors import OutputError
from digitforge.report import animations
from digitforge.report.animations import Film, captioned, check_path, finished, gif_bytes, mp4_bytes, write_film
from digitforge.sheets import Picture


def grey(count: int, height: int = 448, width: int = 448) -> list[Picture]:
    """Frames that differ: one level each, a white spot, so that no frame is empty."""
    frames = [np.full((height, width), 20 * number, np.uint8) for number in range(count)]
    for frame in frames:
        frame[:40, :40] = 255
    return frames


def frames_of(gif: bytes) -> tuple[list[np.ndarray], list[int], Any]:
    """The frames as grey levels, their milliseconds, and how often it loops."""
    image = Image.open(io.BytesIO(gif))
    frames = [(np.asarray(frame.convert("L")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
    return [frame for frame, _ in frames], [time for _, time in frames], image.info["loop"]


def decoded(mp4: bytes, folder: Path) -> tuple[np.ndarray, dict[str, Any]]:
    (folder / "decoded.mp4").write_bytes(mp4)
    with imageio.get_reader(folder / "decoded.mp4", format="FFMPEG") as reader:
        return np.stack(list(reader.iter_data())), reader.get_meta_data()


def test_a_gif_holds_every_grey_frame_as_it_is_and_loops() -> None:
    frames = grey(5)
    shown, _, loop = frames_of(gif_bytes(Film(frames, step=0.1)))
    np.testing.assert_array_equal(shown, frames)
    assert loop == 0


def test_the_last_frame_of_a_gif_is_held() -> None:
    _, times, _ = frames_of(gif_bytes(Film(grey(4), step=0.25, hold=1.5)))
    assert times == [250, 250, 250, 1750]


def test_rounded_times_of_a_gif_add_up_to_the_film() -> None:
    film = Film(grey(7), step=6 / 13)
    _, times, _ = frames_of(gif_bytes(film))
    assert sum(times) == round(film.seconds, 2) * 1000
    assert set(times) <= {460, 470}


def test_no_frame_of_a_gif_is_shorter_than_browsers_show() -> None:
    _, times, _ = frames_of(gif_bytes(Film(grey(6), step=0.004)))
    assert times == [20] * 6


def test_colour_stays_colour_in_a_gif() -> None:
    frames = [np.zeros((448, 448, 3), np.uint8) for _ in range(2)]
    frames[0][..., 0], frames[1][..., 2] = 200, 90
    image = Image.open(io.BytesIO(gif_bytes(Film(frames, step=0.1))))
    shown = [np.asarray(frame.convert("RGB"))[7, 7].tolist() for frame in ImageSequence.Iterator(image)]
    assert shown == [[200, 0, 0], [0, 0, 90]]


def test_an_mp4_decodes_to_the_frames_at_25_a_second_and_the_last_is_held(tmp_path: Path) -> None:
    frames = grey(5)
    shown, _ = decoded(mp4_bytes(Film(frames, step=0.08, hold=0.4)), tmp_path)
    assert len(shown) == 5 * 2 + 10
    levels = shown[:, 300, 300].mean(1)
    np.testing.assert_allclose(levels, np.repeat([0, 20, 40, 60, 80], [2, 2, 2, 2, 12]), atol=3)


def test_an_mp4_of_one_frame_a_tick_has_as_many_frames_as_the_film(tmp_path: Path) -> None:
    shown, _ = decoded(mp4_bytes(Film(grey(9), step=0.04)), tmp_path)
    assert len(shown) == 9


def test_an_mp4_is_what_browsers_play(tmp_path: Path) -> None:
    """H.264 with one colour for four pixels, and the index in front, so that it plays before all of it is there."""
    content = mp4_bytes(Film(grey(3), step=0.04))
    _, about = decoded(content, tmp_path)
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p")
    assert content.index(b"moov") < content.index(b"mdat")


def test_odd_sides_are_made_even_without_a_seam(tmp_path: Path) -> None:
    frames = [np.full((449, 451), 200, np.uint8)] * 2
    shown, _ = decoded(mp4_bytes(Film(frames, step=0.04)), tmp_path)
    assert shown.shape[1:] == (450, 452, 3)
    np.testing.assert_allclose(shown, 200, atol=3)


def test_small_pictures_are_enlarged_and_large_ones_are_not() -> None:
    (small,) = finished(Film([np.eye(28, dtype=np.uint8)], step=1))
    np.testing.assert_array_equal(small, np.eye(28, dtype=np.uint8).repeat(16, 0).repeat(16, 1))
    (large,) = finished(Film([np.eye(600, dtype=np.uint8)], step=1))
    assert large.shape == (600, 600)


@pytest.mark.parametrize("shape", [(300, 400), (300, 400, 3)])
def test_a_caption_stands_under_the_picture_and_leaves_it_whole(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    first, second = (captioned(picture, text) for text in ("9,999 images", "12,288 images"))
    assert first.shape == (328, *shape[1:])
    np.testing.assert_array_equal(first[:300], picture)
    assert first[300:].max() > 200  # ink that is read easily on ...
    assert np.median(first[300:]) == 0  # ... the black around it
    assert (first[300:] != second[300:]).any()
    assert first[300:, -100:].max() == 0


def test_every_frame_has_its_own_caption() -> None:
    frames = list(finished(Film(grey(3), step=1, captions=["1 image", "2 images", "3 images"])))
    strips = [frame[448:] for frame in frames]
    assert all((one != other).any() for one, other in pairwise(strips))


def test_a_film_is_written_as_its_suffix_says(tmp_path: Path) -> None:
    for name, beginning in (("x.gif", b"GIF89a"), ("x.MP4", b"\0\0\0 ftyp")):
        write_film(Film(grey(2), step=0.1), tmp_path / "new" / name)
        assert (tmp_path / "new" / name).read_bytes().startswith(beginning)
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.parametrize("name", ["x.webp", "x", "x.png", ".gif", "folder.gif", "text/x.gif"])
def test_what_is_no_place_for_an_animation_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "text").touch()
    with pytest.raises(OutputError):
        check_path(tmp_path / name)


def test_a_missing_imageio_is_said_with_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "find_spec", lambda name: None)
    with pytest.raises(OutputError, match=r"pip install -c constraints\.txt '\.\[train\]', .*; or name a \.gif"):
        check_path(tmp_path / "x.mp4")
    check_path(tmp_path / "x.gif")


def test_a_failing_ffmpeg_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    with pytest.raises(OutputError, match=r"ffmpeg can't make an MP4 here .*; name a \.gif instead"):
        mp4_bytes(Film(grey(2), step=0.1))


def test_more_than_memory_holds_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(animations, "MAX_PIXELS", 3 * 448 * 448)
    write_film(Film(grey(3), step=0.1), tmp_path / "x.gif")
    with pytest.raises(OutputError, match="4 frames of 448x448 pixels are too much"):
        write_film(Film(grey(4), step=0.1), tmp_path / "y.gif")
