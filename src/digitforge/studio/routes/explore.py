"""The view Explore: a walk through latents, ways between digits, and what the discriminator says."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query

from digitforge.data.digits import Digits, Images
from digitforge.errors import UserError
from digitforge.forge import Forge
from digitforge.report.interpolation import draw_along, plan_route
from digitforge.studio.bounds import PRETRAINED, BetweenWish, DrawingWish, WalkWish
from digitforge.studio.drawing import DRAWING_SHAPE, as_mnist, read_drawing
from digitforge.studio.models import Models
from digitforge.studio.opinion import Judge
from digitforge.studio.rooms import TheRooms
from digitforge.studio.routes.generate import as_tiles, tiles
from digitforge.studio.walk import SIDE, see

router = APIRouter()
_PATHS = 8  # ways from one digit to the other, side by side
_STOPS = 25  # pictures on each, from end to end: a slider with a step every few pixels


@router.get("/walk")
async def walk(wish: Annotated[WalkWish, Query()], rooms: TheRooms) -> dict[str, Any]:
    """What lies around a place, and what the model's discriminator says of it."""
    return await rooms.desk.do(lambda: _look_around(rooms.models, wish))


@router.get("/between")
async def between(wish: Annotated[BetweenWish, Query()], rooms: TheRooms) -> dict[str, Any]:
    """What lies between two digits: stop after stop, on each the images of all ways."""
    return await rooms.desk.do(lambda: _go_between(rooms.models.forge(wish.model), wish))


@router.get("/judges/newest")
async def newest_judge(rooms: TheRooms) -> dict[str, str]:
    """The newest run whose discriminator can be asked about a drawing, "" where there is none."""
    return {"name": await rooms.desk.do(rooms.models.newest_judge)}


@router.post("/opinion")
async def opinion(wish: DrawingWish, rooms: TheRooms) -> dict[str, Any]:
    """What a discriminator says of a drawing, and which digit the classifier reads."""
    return await rooms.desk.do(lambda: _judge_drawing(rooms.models, wish))


def _look_around(models: Models, wish: WalkWish) -> dict[str, Any]:
    digits = see(models.forge(wish.model), wish)
    told = as_tiles(digits) | {"columns": SIDE}
    if wish.model != PRETRAINED and models.has_judge(wish.model):
        told |= _scored(models.judge(wish.model), digits)
    return told | tiles(digits.images)


def _go_between(forge: Forge, wish: BetweenWish) -> dict[str, Any]:
    if wish.start != wish.end and forge.is_told and not forge.can_blend:
        raise UserError(f"{wish.model} draws whole digits and nothing between two; choose one digit for both ends")
    route = plan_route(forge, wish.start, wish.end, _PATHS, wish.seed)
    places = np.linspace(0, route.legs, _STOPS)
    images = np.concatenate([draw_along(forge, route, float(place)) for place in places])
    return tiles(images) | {"paths": _PATHS, "stops": _STOPS}


def _judge_drawing(models: Models, wish: DrawingWish) -> dict[str, Any]:
    forge, judge = models.forge(wish.run), models.judge(wish.run)
    image = as_mnist(read_drawing(wish.pixels))
    if forge.card.shape != DRAWING_SHAPE:
        raise UserError(f"{wish.run} learned from images of another size; choose a run on 28x28 grey digits")
    labels = np.asarray(forge.card.trained, np.int64)
    by_label = judge.scores(image.repeat(len(labels), 0), labels)
    read, sureness = _read(forge, image)
    best = int(np.argmax(by_label)) if read not in forge.names else forge.names.index(read)
    return tiles(image) | {
        "read": read,
        "sureness": sureness,
        "score": float(by_label[best]),
        "probability": _first(judge.probabilities(by_label[best : best + 1])),
        "asked_as": forge.names[best] if judge.is_told else None,
        "by_label": _by_label(forge, by_label) if judge.is_told else [],
        "scale": judge.scale,
    }


def _scored(judge: Judge, digits: Digits) -> dict[str, Any]:
    scores = judge.scores(digits.images, digits.labels)
    return {"scores": [float(score) for score in scores], "probabilities": judge.probabilities(scores)}


def _read(forge: Forge, image: Images) -> tuple[str, float | None]:
    """Which digit a classifier reads in one image, and how sure it is, 0..1; "" where none reads such images."""
    if forge.classifier is None:
        return "", None
    logits = forge.classifier.read(image).logits[0].astype(np.float64)
    shares = np.exp(logits - logits.max())
    best = int(shares.argmax())
    return forge.classifier.names[best], float(shares[best] / shares.sum())


def _by_label(forge: Forge, scores: np.ndarray) -> list[dict[str, Any]]:
    return [{"label": name, "score": float(score)} for name, score in zip(forge.names, scores, strict=True)]


def _first(values: list[float] | None) -> float | None:
    return None if values is None else values[0]
