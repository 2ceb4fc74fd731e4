"""The view Generate: digits and numbers, to look at and to take away."""

from __future__ import annotations

import base64
import math
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from digitforge.data.digits import UNLABELLED, Digits, Images
from digitforge.sheets import grid, png_bytes
from digitforge.studio.bounds import PRETRAINED, DigitsWish, FileKind, NumberWish, RunName
from digitforge.studio.rooms import TheRooms
from digitforge.studio.takeaway import Takeaway, pack, pack_number, write_number

router = APIRouter()


@router.get("/models")
def models(rooms: TheRooms) -> list[str]:
    """What can draw, the newest first, the model in the package last."""
    return [*rooms.shelf.models(), PRETRAINED]


@router.get("/models/{name}")
async def model(name: RunName, rooms: TheRooms) -> dict[str, Any]:
    """What a model can draw."""
    return await rooms.desk.do(lambda: rooms.models.describe(name))


@router.get("/digits")
async def digits(wish: Annotated[DigitsWish, Query()], rooms: TheRooms) -> dict[str, Any]:
    """Digits to look at."""

    def draw() -> dict[str, Any]:
        drawn = rooms.models.forge(wish.model).generate_with_yield(wish.digit, wish.count, wish.seed, wish.variety)
        return as_tiles(drawn.digits) | {"drawn": drawn.drawn}

    return await rooms.desk.do(draw)


@router.get("/digits.{kind}")
async def digits_file(kind: FileKind, wish: Annotated[DigitsWish, Query()], rooms: TheRooms) -> Response:
    """The same digits as a file."""
    stem = f"{'digits' if wish.digit is None else f'digit-{wish.digit}'}-seed-{wish.seed}"

    def draw() -> Takeaway:
        drawn = rooms.models.forge(wish.model).generate(wish.digit, wish.count, wish.seed, wish.variety)
        return pack(drawn, wish.seed, kind, stem)

    return _attached(await rooms.desk.do(draw))


@router.get("/number")
async def number(wish: Annotated[NumberWish, Query()], rooms: TheRooms) -> dict[str, Any]:
    """A number, digit by digit."""
    return await rooms.desk.do(lambda: as_tiles(write_number(rooms.models.forge(wish.model), wish)))


@router.get("/number.png")
async def number_file(wish: Annotated[NumberWish, Query()], rooms: TheRooms) -> Response:
    """The same number as a picture to take away."""
    return _attached(await rooms.desk.do(lambda: pack_number(write_number(rooms.models.forge(wish.model), wish), wish)))


def as_tiles(digits: Digits) -> dict[str, Any]:
    """Digits as a page lays them out: one picture of all, edge to edge, and their names."""
    labels = [] if digits.names == UNLABELLED else [digits.names[label] for label in digits.labels]
    return {"labels": labels} | tiles(digits.images)


def tiles(images: Images) -> dict[str, Any]:
    """Images edge to edge in one picture, and how it is cut."""
    columns = math.ceil(math.sqrt(len(images)))
    picture = base64.b64encode(png_bytes(grid(images, columns))).decode()
    return {"count": len(images), "columns": columns, "picture": f"data:image/png;base64,{picture}"}


def _attached(takeaway: Takeaway) -> Response:
    plain = takeaway.name.encode("ascii", "replace").decode().replace("?", "_")  # all that a header can hold
    disposition = f'attachment; filename="{plain}"'
    return Response(takeaway.content, media_type=takeaway.media, headers={"Content-Disposition": disposition})
