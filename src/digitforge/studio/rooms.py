"""The rooms of one studio: what every route works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated

from fastapi import Depends, Request

from digitforge.studio.desk import Desk
from digitforge.studio.models import Models
from digitforge.studio.shelf import Shelf
from digitforge.studio.telling import Kept
from digitforge.studio.trainings import Trainings

SEATS = 32  # pages that watch a run at once; each looks at a few files, some times a second


@dataclass(frozen=True)
class Rooms:
    """Where runs lie, who trains them, who draws, and with what; and the seats from which runs are watched."""

    shelf: Shelf
    trainings: Trainings
    desk: Desk
    models: Models
    told: Kept = field(default_factory=dict)  # of the runs in the list
    closing: Event = field(default_factory=Event)  # set when the studio ends, so that streams end of themselves
    seats: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SEATS))


def rooms_of(request: Request) -> Rooms:
    """The rooms of the studio that a request came to."""
    rooms: Rooms = request.app.state.rooms
    return rooms


TheRooms = Annotated[Rooms, Depends(rooms_of)]
