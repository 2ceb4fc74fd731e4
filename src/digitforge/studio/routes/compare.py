"""The view Compare: runs side by side, on the page that `digitforge compare` writes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from digitforge.errors import need
from digitforge.report import NEEDED
from digitforge.studio.bounds import MAX_COMPARED, RunName
from digitforge.studio.guard import REPORT_POLICY
from digitforge.studio.rooms import TheRooms
from digitforge.studio.shelf import Shelf

router = APIRouter()


@router.get("/compare")
async def compare(
    run: Annotated[list[RunName], Query(min_length=1, max_length=MAX_COMPARED)], rooms: TheRooms
) -> HTMLResponse:
    """One page on one run or several, with the figures that their models carry."""
    page = await rooms.desk.do(lambda: _report(rooms.shelf, run))
    return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_POLICY})


def _report(shelf: Shelf, names: list[str]) -> str:
    need(NEEDED, "comparing needs", "train")
    from digitforge.report.page import report_page, shown_run

    return report_page([shown_run(shelf.run(name), name) for name in dict.fromkeys(names)])
