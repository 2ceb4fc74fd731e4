"""The studio's server: its rooms behind one guard, and errors as one sentence each."""

from __future__ import annotations

import os
import traceback
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from digitforge.errors import DigitforgeError, UserError, in_a_line, plain
from digitforge.studio.bounds import MAX_BODY
from digitforge.studio.desk import BusyError, Desk
from digitforge.studio.guard import HEADERS, LOOPBACK, Guard
from digitforge.studio.models import Models
from digitforge.studio.rooms import Rooms, rooms_of
from digitforge.studio.routes import compare, explore, generate, train
from digitforge.studio.shelf import Shelf
from digitforge.studio.trainings import Trainings

PAGE = Path(__file__).parent / "page"
_RETRY = {"Retry-After": "2"}  # seconds


def create_app(
    runs: Path,
    environment: Mapping[str, str] = os.environ,
    names: Iterable[str] = LOOPBACK,
    is_open: bool = False,
) -> FastAPI:
    """The studio of a folder of runs.

    environment: of the trainings that it starts. names, is_open: by which it may be called, as Guard has them.
    """
    shelf = Shelf(runs)
    shelf.create()
    trainings = Trainings(shelf, environment)
    rooms = Rooms(shelf, trainings, Desk(trainings.is_anyone_at_work), Models(shelf))

    @asynccontextmanager
    async def open_rooms(_: FastAPI) -> AsyncIterator[None]:
        yield
        rooms.desk.close()

    app = FastAPI(
        title="digitforge studio",
        lifespan=open_rooms,
        max_body_size=MAX_BODY,
        # No page of documentation (it loads scripts from elsewhere), and nothing is told to any collector of telemetry.
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.rooms = rooms
    for room in (train, generate, explore, compare):
        app.include_router(room.router, prefix="/api")
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    app.add_exception_handler(DigitforgeError, _say_error)
    app.add_exception_handler(RequestValidationError, _say_bound)
    app.add_exception_handler(Exception, _say_fault)
    app.add_middleware(Guard, names=names, is_open=is_open)
    return app


async def _say_error(request: Request, error: Exception) -> JSONResponse:
    """One sentence, without where on this machine the runs lie."""
    sentence = rooms_of(request).shelf.without_places(str(error))
    if isinstance(error, BusyError):
        return JSONResponse({"error": sentence}, 503, headers=_RETRY)
    return JSONResponse({"error": sentence}, 400 if isinstance(error, UserError) else 500)


async def _say_fault(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: in a sentence on the page, and in full on the terminal."""
    traceback.print_exception(error)
    sentence = rooms_of(request).shelf.without_places(f"the studio met {in_a_line(error)}")
    return JSONResponse({"error": sentence}, 500, headers=HEADERS)  # it is made outside the guard


async def _say_bound(_: Request, error: Exception) -> JSONResponse:
    """The first input that is out of its bounds, in one sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("query", "body", "path")]
    message = plain(str(first["msg"]))
    return JSONResponse({"error": f"{'.'.join(where) or 'what was sent'}: {message[:1].lower()}{message[1:]}"}, 422)
