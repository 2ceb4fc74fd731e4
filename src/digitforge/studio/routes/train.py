"""The view Train: runs are listed, begun, steered and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from digitforge.data.catalogue import catalogue
from digitforge.data.digits import FEW_LABELS
from digitforge.errors import DigitforgeError, RunError
from digitforge.recipe import load_recipe, recipe_names
from digitforge.studio.bounds import RunName, TrainingWish
from digitforge.studio.desk import BusyError
from digitforge.studio.rooms import TheRooms
from digitforge.studio.telling import stamp, tell, tell_all

router = APIRouter()
_LOOK = 0.4  # seconds between two looks at a run that is being watched
_AT_WORK = (
    "starting",
    "training",
    "pausing",
    "finishing",
    "stopping",
    "elsewhere",
)  # states of which there will be news


@router.get("/choices")
def choices() -> dict[str, Any]:
    """What can be trained, and on what."""
    recipes = [load_recipe(name) for name in recipe_names()]
    return {
        "recipes": [
            {"name": each.name, "summary": each.summary, "document": each.document, "data": each.data.name}
            for each in recipes
        ],
        "data": [
            {
                "name": each.name,
                "description": each.description,
                "is_here": each.is_cached,
                "is_fetched": each.is_fetched,
                "labels": list(each.names) if len(each.names) <= FEW_LABELS else [],
            }
            for each in catalogue()
        ],
    }


@router.get("/runs")
def runs(rooms: TheRooms) -> list[dict[str, Any]]:
    """The runs of the folder, the newest first."""
    return tell_all(rooms.shelf, rooms.trainings, rooms.told)


@router.post("/runs", status_code=201)
def begin(wish: TrainingWish, rooms: TheRooms) -> dict[str, str]:
    """Begin a run."""
    return {"name": rooms.trainings.start(wish)}


@router.get("/runs/{name}")
def run(name: RunName, rooms: TheRooms) -> dict[str, Any]:
    """A run in full."""
    return tell(rooms.shelf, rooms.trainings, name)


@router.post("/runs/{name}/pause")
def pause(name: RunName, rooms: TheRooms) -> dict[str, str]:
    """Have a run save its state and end its process."""
    rooms.trainings.pause(name)
    return {"name": name}


@router.post("/runs/{name}/stop")
def stop(name: RunName, rooms: TheRooms) -> dict[str, str]:
    """End a run and make a model of it."""
    rooms.trainings.stop(name)
    return {"name": name}


@router.post("/runs/{name}/resume")
def resume(name: RunName, rooms: TheRooms) -> dict[str, str]:
    """Go on with a run."""
    rooms.trainings.resume(name)
    return {"name": name}


@router.get("/runs/{name}/sheets/{images}.png")
def sheet(name: RunName, images: int, rooms: TheRooms) -> FileResponse:
    """The same latents after so many images."""
    folder = rooms.shelf.run(name)
    return _picture(folder.sample(images) if 0 <= images < 10**10 else folder.path)


@router.get("/runs/{name}/real.png")
def real(name: RunName, rooms: TheRooms) -> FileResponse:
    """Real digits, laid out as the sheets are."""
    return _picture(rooms.shelf.run(name).real_sheet)


async def _take_seat(name: RunName, rooms: TheRooms) -> AsyncIterator[None]:
    """A place to watch a run from. Raises RunError where there is no such run, BusyError where no place is left."""
    rooms.shelf.run(name)
    if rooms.seats.locked():
        raise BusyError("too many pages watch at once; close one")
    async with rooms.seats:
        yield


@router.get("/runs/{name}/events", response_class=EventSourceResponse, dependencies=[Depends(_take_seat)])
async def events(name: RunName, rooms: TheRooms) -> AsyncIterator[ServerSentEvent]:
    """A run in full whenever there is something new, for as long as somebody works on it."""
    seen: object = None
    while not rooms.closing.is_set():
        try:
            now = await run_in_threadpool(stamp, rooms.shelf, rooms.trainings, name)
            told = None if now == seen else await run_in_threadpool(tell, rooms.shelf, rooms.trainings, name)
        except DigitforgeError:  # it was removed; who asks again is told so
            return
        if told is not None:
            seen = now
            yield ServerSentEvent(data=told)
            if told["state"] not in _AT_WORK:
                return
        await asyncio.sleep(_LOOK)


def _picture(path: Path) -> FileResponse:
    if path.is_symlink() or not path.is_file():
        raise RunError("there is no such picture; reload the page")
    return FileResponse(path, media_type="image/png")
