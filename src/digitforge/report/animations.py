"""Animations: pictures one after another, as a GIF that loops or as an MP4 that browsers play."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digitforge.errors import OutputError, to_install
from digitforge.places import check_place, write_file
from digitforge.sheets import Picture, enlarged

ANIMATED = (".gif", ".mp4")
MP4_RATE = 25  # frames a second: players are at ease with it, and a picture that stays costs next to nothing
GIF_RATE = 100  # a GIF counts time in hundredths of a second, ...
_GIF_LEAST = 2  # ... and browsers show a frame for 0.1 s that asks for less than two of them
MAX_PIXELS = 2**29  # of all frames together: Pillow holds them in memory, 0.5 GB in grey
_WIDTH = 448  # pixels that narrower pictures are brought near to: four digits of 28 pixels, each pixel four on a side
_CAPTION_HEIGHT = 28  # pixels
_FONT_SIZE = 18  # pixels
_MARGIN = 8  # pixels at the left of a caption
_PAPER, _INK = 0, 230  # grey levels of a caption
_QUALITY = 18  # x264's constant rate factor: looks like the original


@dataclass(frozen=True)
class Film:
    """Pictures and their times.

    frames: uint8 [H, W] or [H, W, 3], all of one size. step: seconds that each is shown.
    hold: seconds that the last one stays beyond that. captions: a line under each frame; none where empty.
    """

    frames: Sequence[Picture]
    step: float
    hold: float = 0.0
    captions: Sequence[str] = ()

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.frames) * self.step + self.hold


def check_path(path: Path, suffixes: tuple[str, ...] = ANIMATED) -> None:
    """Raise OutputError if no animation can be written there: another suffix, no place, no ffmpeg for an MP4."""
    if path.suffix.lower() not in suffixes:
        *others, last = suffixes
        raise OutputError(f"{path} is no name for an animation; let it end in {', '.join(others)} or {last}")
    if path.suffix.lower() == ".mp4" and not (find_spec("imageio") and find_spec("imageio_ffmpeg")):
        raise OutputError(
            f"{path} needs imageio and its ffmpeg, which the plain install leaves out: "
            f"{to_install('train')}; or name a .gif"
        )
    check_place(path)


def write_film(film: Film, path: Path) -> None:
    """Write a film as what its suffix says, .gif or .mp4, whole or not at all. Raises OutputError where it can't be."""
    check_path(path)
    check_length(film)
    write_file(path, mp4_bytes(film) if path.suffix.lower() == ".mp4" else gif_bytes(film))


def check_length(film: Film) -> None:
    """Raise OutputError for a film with more pixels than memory should hold."""
    height, width = film.frames[0].shape[:2]
    scale = _scale(width)
    if len(film.frames) * height * width * scale**2 > MAX_PIXELS:
        raise OutputError(
            f"{len(film.frames):,} frames of {width * scale:,}x{height * scale:,} pixels are too much for one "
            "animation; ask for fewer or smaller ones"
        )


def gif_bytes(film: Film) -> bytes:
    """A GIF that plays again and again; greys are kept as they are, colours are brought down to 256 a frame."""
    stream = io.BytesIO()
    first, *others = (Image.fromarray(picture) for picture in finished(film))
    times = [1000 // GIF_RATE * ticks for ticks in _ticks(film, GIF_RATE, _GIF_LEAST)]
    first.save(stream, "GIF", save_all=True, append_images=others, duration=times, loop=0)
    return stream.getvalue()


def mp4_bytes(film: Film) -> bytes:
    """An MP4 (H.264, yuv420p, 25 frames a second), its sides made even and its index in front, as browsers need."""
    import imageio.v2 as imageio

    repeats = _ticks(film, MP4_RATE, least=1)
    with tempfile.TemporaryDirectory(prefix="digitforge-") as folder:
        path = Path(folder) / "film.mp4"
        try:
            writer: Any = imageio.get_writer(
                path,
                format="FFMPEG",
                fps=MP4_RATE,
                codec="libx264",
                quality=None,
                pixelformat="yuv420p",
                macro_block_size=1,
                ffmpeg_log_level="error",
                output_params=["-crf", str(_QUALITY), "-movflags", "+faststart"],
            )
            with writer:
                for picture, times in zip(finished(film), repeats, strict=True):
                    for _ in range(times):
                        writer.append_data(_even_colour(picture))
            return path.read_bytes()
        except (OSError, RuntimeError) as error:  # no ffmpeg for this system, or one that fails
            reason = str(error).strip().split("\n")[0]
            raise OutputError(f"ffmpeg can't make an MP4 here ({reason}); name a .gif instead") from None


def finished(film: Film) -> Iterator[Picture]:
    """The frames as they are shown: small ones enlarged, each with its caption."""
    scale = _scale(film.frames[0].shape[1])
    captions: Iterable[str] = film.captions or [""] * len(film.frames)
    for picture, caption in zip(film.frames, captions, strict=True):
        large = enlarged(picture, scale)
        yield captioned(large, caption) if film.captions else large


def captioned(picture: Picture, text: str) -> Picture:
    """A picture with a line of text under it; it starts at the left, so that it stands still while numbers grow."""
    strip = Image.new("L", (picture.shape[1], _CAPTION_HEIGHT), _PAPER)
    font = ImageFont.load_default(_FONT_SIZE)
    ImageDraw.Draw(strip).text((_MARGIN, _CAPTION_HEIGHT // 2), text, fill=_INK, font=font, anchor="lm")
    pixels: Picture = np.asarray(strip)
    if picture.ndim == 3:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return np.concatenate([picture, pixels])


def _ticks(film: Film, rate: int, least: int) -> list[int]:
    """How many ticks, `rate` a second, each frame is shown; rounded where it begins, so that no error adds up."""
    begins = np.arange(len(film.frames) + 1) * film.step
    begins[-1] += film.hold
    return [max(least, int(ticks)) for ticks in np.diff(np.rint(begins * rate))]


def _scale(width: int) -> int:
    return max(1, round(_WIDTH / width))


def _even_colour(picture: Picture) -> NDArray[np.uint8]:
    """RGB with even sides, the last row and column repeated: yuv420p keeps one colour for every four pixels."""
    height, width = picture.shape[:2]
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    return np.pad(colour, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
