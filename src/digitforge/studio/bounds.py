"""What the studio takes from a browser: every input typed and bounded, in one place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from digitforge.data.digits import FEW_LABELS, MAX_NAME
from digitforge.forge import MAX_VARIETY

PRETRAINED = "pretrained"  # the model in the package, by name among the runs
MAX_DIGITS = 1000  # a request: some 0.2 s of one thread of `express`
MAX_LETTERS = 24  # of a typed number: what a phone shows in three lines
MAX_COMPARED = 6  # runs on one report: more curves in one figure can't be told apart
MAX_BODY = 64 * 1024  # bytes of a request: three times the largest drawing
DRAWING_SIDE = 112  # pixels of a drawing as the page sends it: four for each of a digit's
SHORTEST, LONGEST = 5, 4 * 3600  # seconds of a training
FARTHEST = 50.0  # steps that a walk may lead away from where it began
_BASE64 = -(-(DRAWING_SIDE**2) // 3) * 4  # letters that hold the drawing

RunName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
NewRunName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
ShortName = Annotated[str, StringConstraints(min_length=1, max_length=40)]  # of a recipe or a data set
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Variety = Annotated[float, Field(ge=0, le=MAX_VARIETY)]
FileKind = Literal["png", "npz", "zip"]


class Wish(BaseModel):
    """What is asked for; a key that is not known is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrainingWish(Wish):
    """A run to train. digits: labels, none for all. seconds: None for the recipe's own length. name: None for any."""

    recipe: ShortName = "express"
    data: ShortName = "mnist"
    digits: Annotated[tuple[LabelName, ...], Field(max_length=FEW_LABELS)] = ()
    seconds: Annotated[float, Field(ge=SHORTEST, le=LONGEST)] | None = 60
    seed: Seed = 0
    name: NewRunName | None = None


class DigitsWish(Wish):
    """Digits to draw."""

    model: RunName = PRETRAINED
    digit: LabelName | None = None
    count: Annotated[int, Field(ge=1, le=MAX_DIGITS)] = 64
    seed: Seed = 0
    variety: Variety = 1.0


class NumberWish(Wish):
    """A number to write."""

    model: RunName = PRETRAINED
    text: Annotated[str, StringConstraints(pattern=rf"^[0-9]{{1,{MAX_LETTERS}}}$")]
    seed: Seed = 0
    variety: Variety = 1.0


class WalkWish(Wish):
    """A piece of a plane of latents, its middle at (x, y) steps from where the plane was laid down."""

    model: RunName = PRETRAINED
    digit: LabelName | None = None
    seed: Seed = 0
    x: Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)] = 0.0
    y: Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)] = 0.0
    stride: Annotated[float, Field(ge=0.05, le=1)] = 0.3


class BetweenWish(Wish):
    """What lies between two digits."""

    model: RunName = PRETRAINED
    start: LabelName
    end: LabelName
    seed: Seed = 0


class DrawingWish(Wish):
    """A drawing to judge: DRAWING_SIDE rows of as many grey levels, one byte each, ink bright, in base64."""

    run: RunName
    pixels: Annotated[str, StringConstraints(min_length=_BASE64, max_length=_BASE64)]
