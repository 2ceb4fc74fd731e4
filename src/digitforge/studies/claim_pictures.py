"""Pictures that show a claim besides its figures: sheets over training, sheets of models, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from digitforge.report.plates import Plate, curves_plate, png_plate
from digitforge.runs import image_count
from digitforge.studies.evidence import Evidence

Pictures = Callable[[Evidence], Sequence[Plate]]


def over_training(role: str, *epochs: float) -> Pictures:
    """The same latents of a role's first run after some epochs."""

    def draw(evidence: Evidence) -> list[Plate]:
        run = evidence.of(role)[0]
        plates = []
        for count in epochs:
            wanted = run.images_after(count)
            sheets = run.folder.samples()
            if not sheets:
                continue
            path = min(sheets, key=lambda sheet: abs(image_count(sheet) - wanted))
            caption = f"{role}, seed {run.seed}, after {count:g} epochs ({image_count(path):,} images)"
            plates.append(png_plate(path.read_bytes(), caption, f"Samples of {role}: a grid of digits."))
        return plates

    return draw


def models(*roles: str) -> Pictures:
    """What the model of each role's first run draws."""

    def draw(evidence: Evidence) -> list[Plate]:
        plates = []
        for role in roles:
            run = evidence.of(role)[0]
            if run.folder.final_sheet.is_file():
                alt = f"What {role} draws: rows of digits."
                content = run.folder.final_sheet.read_bytes()
                plates.append(png_plate(content, f"{role}, seed {run.seed}, at its end", alt))
        return plates

    return draw


def curves(*roles: str) -> Pictures:
    """The curves of each role's first run, in one picture."""

    def draw(evidence: Evidence) -> list[Plate]:
        plate = curves_plate([replace(evidence.of(role)[0].history, name=role) for role in roles])
        return [replace(plate, caption=f"{', '.join(roles)}: the first seed")]

    return draw
