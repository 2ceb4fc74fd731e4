"""What a run's statistics tell as curves: each quantity, and the moments at which it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitforge.errors import RunError
from digitforge.runs import RunFolder

Numbers = NDArray[np.float64]

_ROUNDED = 1e-3  # of an epoch; statistics tell four decimals


@dataclass(frozen=True)
class Curve:
    """One quantity of a run.

    images: float64 [T], real images shown to D by each measurement. seconds: float64 [T], of training by then.
    values: float64 [T].
    """

    images: Numbers
    seconds: Numbers
    values: Numbers


@dataclass(frozen=True)
class History:
    """A run as far as it has gone.

    name: what the run is called beside others. curves: by "section.quantity" as `stats.jsonl` has them, such as
    "loss.generator", and "epoch"; a quantity that was never measured is not there.
    """

    name: str
    curves: Mapping[str, Curve]

    @property
    def images(self) -> int:
        """Real images shown to D by the last line of statistics."""
        return int(self.curves["epoch"].images[-1])

    @property
    def seconds(self) -> float:
        """Time in training steps by then."""
        return float(self.curves["epoch"].seconds[-1])

    def until(self, images: float) -> History:
        """The same up to so many images; a quantity that was not measured by then is not there."""
        kept = {key: curve.images <= images for key, curve in self.curves.items()}
        return History(
            self.name,
            {
                key: Curve(curve.images[kept[key]], curve.seconds[kept[key]], curve.values[kept[key]])
                for key, curve in self.curves.items()
                if kept[key].any()
            },
        )

    @cached_property
    def epochs(self) -> Epochs | None:
        """How epochs follow images; None while the first one has not begun."""
        images, counts = self.curves["epoch"].images, self.curves["epoch"].values
        under_way = np.flatnonzero(counts > 0)
        if len(under_way) == 0:
            return None
        first, last = under_way[0], under_way[-1]
        if counts[last] == counts[first]:  # one moment alone tells nothing of a time before
            return Epochs(0.0, images[last] / counts[last])
        each = (images[last] - images[first]) / (counts[last] - counts[first])
        before = images[last] - each * counts[last]
        if before < _ROUNDED * each:
            return Epochs(0.0, images[last] / counts[last])
        return Epochs(before, each)


@dataclass(frozen=True)
class Epochs:
    """before: images after which the first epoch begins; D learned alone till then. each: images in an epoch."""

    before: float
    each: float

    def after(self, images: Any) -> Any:
        """Epochs after so many images, one number or an array of them; negative before the first one."""
        return (images - self.before) / self.each

    def images(self, epochs: Any) -> Any:
        """Images after so many epochs."""
        return self.before + epochs * self.each


def read_history(folder: RunFolder, name: str | None = None) -> History:
    """A run's statistics as curves, finished or not.

    name: None takes the folder's. Raises RunError for a folder that is no run, holds no line yet, or a damaged one.
    """
    folder.read_recipe()  # raises where there is none
    return history_of(folder, folder.read_stats(), name)


def history_of(folder: RunFolder, lines: Sequence[Mapping[str, Any]], name: str | None = None) -> History:
    """As read_history(), of a run's lines of statistics that were read before."""
    if not lines:
        raise RunError(f"{folder.path} has no line of statistics yet; wait for its first tick, or name another run")
    moments: dict[str, list[tuple[float, float, float]]] = {}
    for number, line in enumerate(lines, 1):
        try:
            needed = (line["images"], line["clock"]["seconds"], line["epoch"], line["loss"]["discriminator"])
            images, seconds, *_ = map(float, needed)
        except (KeyError, TypeError, ValueError):
            raise RunError(
                f"{folder.stats} is damaged at line {number}: it lacks images, epoch, D's loss or seconds; "
                "name another run"
            ) from None
        for key, value in _quantities(line):
            moments.setdefault(key, []).append((images, seconds, value))
    curves = {key: Curve(*np.asarray(rows, np.float64).T) for key, rows in moments.items()}
    return History(name or folder.path.resolve().name, curves)


def distinguishing_names(paths: Sequence[Path]) -> list[str]:
    """The shortest end of each path that no other one has: "a/run" and "b/run", or just "dcgan-0".

    Raises RunError for a path that is given twice.
    """
    parts = [path.resolve().parts for path in paths]
    for path, own in zip(paths, parts, strict=True):
        if parts.count(own) > 1:
            raise RunError(f"{path} is given twice; name each run once")
    return [_shortest_end(own, [other for other in parts if other != own]) for own in parts]


def _shortest_end(own: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> str:
    for length in range(1, len(own)):
        end = own[-length:]
        if all(other[-length:] != end for other in others):
            return "/".join(end)
    return str(Path(*own))


def _quantities(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a line of statistics by key; those of a section as "section.quantity"."""
    for key, value in line.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", number) for inner, number in _quantities(value))
        elif isinstance(value, int | float):
            yield key, float(value)
