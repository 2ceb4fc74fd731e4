"""What the gallery shows, as shows.toml says, and where its runs lie."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from digitforge.recipe import Recipe, load_recipe
from digitforge.runs import RunFolder

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "gallery"


@dataclass(frozen=True)
class Show:
    """One recipe in the gallery; shows.toml says what its fields mean."""

    name: str
    document: str
    data: str = ""
    seeds: tuple[int, ...] = (0,)
    epochs: tuple[float, ...] = ()
    verdict: str = ""
    has_film: bool = False
    trains: str = ""

    @property
    def recipe(self) -> Recipe:
        """The recipe that it trains."""
        return load_recipe(self.trains or self.name)

    @property
    def is_timed(self) -> bool:
        """Whether its length is a time, so that nothing else may run beside it."""
        return bool(self.recipe.training.seconds)

    def words(self, seed: int, alone: bool = True) -> list[str]:
        """What follows `digitforge`, but for the folder; a run that is not alone on the machine has one thread."""
        data = ["--data", self.data] if self.data else []
        fewer = [] if alone else ["--set", "compute.threads=1"]
        return ["train", self.recipe.name, *data, "--seed", str(seed), *fewer]


def read_shows() -> dict[str, Show]:
    """All of them by name, in the order of the page."""
    tables = tomllib.loads((HERE / "shows.toml").read_text("utf-8"))
    return {
        name: Show(name, **{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
        for name, table in tables.items()
    }


def runs_of(show: Show) -> dict[int, RunFolder]:
    """The run folder of each seed, there or not."""
    return {seed: RunFolder(RUNS / f"{show.name}-{seed}") for seed in show.seeds}
