"""Pictures that show a claim besides its figures: sheets over training, sheets of models, copies, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from digitforge.metrics.subject import Subject
from digitforge.report.copies import copies_of
from digitforge.report.plates import Plate, curves_plate, png_plate
from digitforge.runs import count_of
from digitforge.sheets import png_bytes
from digitforge.studies.evidence import Evidence

Pictures = Callable[[Evidence], Sequence[Plate]]


def together(*pictures: Pictures) -> Pictures:
    """Pictures one after another."""
    return lambda evidence: [plate for draw in pictures for plate in draw(evidence)]


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
            path = min(sheets, key=lambda sheet: abs(count_of(sheet) - wanted))
            caption = f"{role}, seed {run.seed}, after {count:g} epochs ({count_of(path):,} images)"
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


def copies(role: str) -> Pictures:
    """What the first run of a role draws that is most like a training image, each beside that one."""

    def draw(evidence: Evidence) -> list[Plate]:
        run = evidence.of(role)[0]
        model = run.measures.model(run.folder, run.snapshot_after())
        sheet = copies_of(Subject.of_model(model), run.figures(details=True), run.measures.data)
        if sheet is None:
            return []
        caption = f"{role}, seed {run.seed}: what is most like a training image, each at the left of that one"
        return [png_plate(png_bytes(sheet), caption, f"Images that {role} drew, beside training images.")]

    return draw


def curves(*roles: str) -> Pictures:
    """The curves of each role's first run, in one picture."""

    def draw(evidence: Evidence) -> list[Plate]:
        runs = {role: evidence.of(role)[0] for role in roles}
        plate = curves_plate([replace(run.history_asked, name=role) for role, run in runs.items()])
        return [replace(plate, caption=", ".join(f"{role}, seed {run.seed}" for role, run in runs.items()))]

    return draw
