"""Pictures that show a claim: of the run and the moment that its figures are of."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from digitforge.data import DataSet
from digitforge.runs import RunFolder
from digitforge.sheets import read_png
from digitforge.studies.claim_pictures import copies, over_training, together
from digitforge.studies.evidence import Evidence, Need, StudiedRun
from digitforge.studies.measures import Measures
from drawn_runs import write_run
from tiny_models import write_model
from tiny_runs import tiny_digits

DATA = DataSet("tiny", tiny_digits(40, 0, 28), None)


class KeptMeasures(Measures):
    """Measures of which an evaluation is known."""

    def figures(self, run: RunFolder, images: int, details: bool = False) -> dict[str, object]:
        closest = [{"image": place, "original": place, "relative": 0.5} for place in range(3)]
        return {"count": 10, "seed": 0, "details": {"closest": closest}}


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    run = write_run(tmp_path / "run", sheets={100: 10, 200: 20, 300: 30})
    run.snapshot(300).write_text("weights")
    write_model(run.model)
    run.write_hashes()
    studied = StudiedRun(run, 0, 300, 100.0, KeptMeasures(tmp_path / "measured", DATA))
    return Evidence({"plain": Need("dcgan")}, {"plain": [studied]})


def test_samples_are_those_after_the_epochs_of_a_claim(evidence: Evidence) -> None:
    plates = together(over_training("plain", 1), over_training("plain", 3))(evidence)
    assert [plate.caption for plate in plates] == [
        "plain, seed 0, after 1 epochs (100 images)",
        "plain, seed 0, after 3 epochs (300 images)",
    ]


def test_what_is_most_like_a_training_image_stands_beside_it(evidence: Evidence) -> None:
    (plate,) = copies("plain")(evidence)
    picture = read_png(base64.b64decode(plate.uri.partition(",")[2]))
    assert np.asarray(picture).std() > 0
    assert "most like a training image" in plate.caption


def test_without_any_pair_there_is_no_picture(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"count": 10, "seed": 0, "details": {"closest": []}}
    monkeypatch.setattr(KeptMeasures, "figures", lambda *_, **__: nothing)
    assert copies("plain")(evidence) == []
