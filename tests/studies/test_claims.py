"""The documents' claims on made-up runs whose answers are known, and on what is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from digitforge.data import DataSet
from digitforge.errors import OutputError, UserError
from digitforge.recipe import load_recipe, recipe_names
from digitforge.studies import claims
from digitforge.studies.claims import CLAIMS, NEEDS, QUICK, Extent, narrowed, plan_runs, study_claims
from digitforge.studies.finding import Finding
from digitforge.studies.measures import Measures
from drawn_runs import stats_line, write_run_of
from tiny_runs import tiny_digits

COUNT = 50  # images that are said to be behind a figure
SEEDS = (0, 1, 2)
DIGITS = tuple("0123456789")
MNIST = DataSet("mnist", tiny_digits(200, 0, 28), tiny_digits(100, 1, 28))  # what stands for it here
EPOCH = len(MNIST.train)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "load_data", lambda name, progress=None: MNIST)


def evaluation(frechet: float, **changes: Any) -> dict[str, Any]:
    """An evaluation as it is kept, every digit ten times its floor, a tenth of the images and as clean as real ones."""
    by_label = {
        digit: {"frechet": {"value": 10.0, "real": 1.0}, "stray_marks": {"value": 0.02, "real": 0.02}}
        for digit in DIGITS
    }
    figures: dict[str, Any] = {
        "frechet": {"value": frechet, "n": COUNT},
        "ratio": frechet,
        "histogram": {"drawn": dict.fromkeys(DIGITS, 5), "data": dict.fromkeys(DIGITS, 20), "total_variation": 0.1},
        "details": {"by_label": by_label, "recall": {"value": 0.5}, "copies": {"value": 0.001, "real": 0.001}},
    }
    figures["details"] |= changes.pop("details", {})
    figures["details"]["by_label"] |= changes.pop("by_label", {})
    return figures | changes


def write_gallery(
    place: Path,
    study: Path,
    recipe: str,
    stages: Mapping[float, Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]] = (),
    settings: Mapping[str, object] | None = None,
) -> None:
    """Three finished runs of a recipe, and what their snapshots measure, by epochs; each seed a little apart."""
    measures = Measures(study / "measured", MNIST, COUNT)
    measures_folder = study / "measured"
    measures_folder.mkdir(parents=True, exist_ok=True)
    (study / "runs").mkdir(exist_ok=True)
    for seed in SEEDS:
        asked = load_recipe(recipe).with_settings({**(settings or {}), "training.seed": seed})
        images = asked.training.length(asked.data.count or EPOCH)
        assert images is not None
        pretraining = asked.training.pretrain_images
        each = (images - pretraining) / (asked.training.epochs or 1)
        counts = {epochs: round(pretraining + epochs * each) for epochs in stages}
        resolved = asked.with_settings({"training.images": images, "compute.device": "cpu"})
        run = write_run_of(
            place / f"{recipe}-{seed}", resolved, lines or None, snapshots=list(counts.values()), is_finished=True
        )
        for epochs, figures in stages.items():
            apart = json.loads(json.dumps(figures))
            apart["frechet"]["value"] *= 1 + 0.01 * (seed - 1)
            for kind in ("figures", "details"):
                measures.path(run, counts[epochs], kind).write_text(json.dumps(apart))


def findings(tmp_path: Path, *keys: str) -> dict[str, Finding]:
    extent = Extent(len(SEEDS), None, COUNT)
    outcome = study_claims(tmp_path / "study", only=keys, runs=tmp_path / "gallery", extent=extent)
    return {finding.claim.key: finding for finding in outcome.findings}


def dcgan(tmp_path: Path, **changes: Any) -> None:
    """DCGANs that are poor after 10 epochs, good after 30, and as good as that ever after."""
    stages = {10.0: evaluation(400.0), 30.0: evaluation(100.0), 50.0: evaluation(90.0), 100.0: evaluation(88.0)}
    stages[10.0]["details"]["by_label"] |= {
        digit: {"frechet": {"value": 40.0, "real": 1.0}, "stray_marks": {"value": 0.1, "real": 0.02}}
        for digit in ("2", "5", "8")
    }
    stages[100.0] = evaluation(88.0, **changes)
    write_gallery(tmp_path / "gallery", tmp_path / "study", "dcgan", stages)


def test_quality_against_epochs_is_found_as_it_was_made_up(tmp_path: Path) -> None:
    dcgan(tmp_path)
    found = findings(tmp_path, "poor-after-10", "good-after-30", "no-better-after-50")
    assert {key: one.word for key, one in found.items()} == dict.fromkeys(found, "holds")
    assert found["no-better-after-50"].conditions[0].values == pytest.approx([88 / 90] * 3)
    table = json.loads((tmp_path / "study" / "results.json").read_text())
    assert [one["verdict"] for one in table["findings"]] == ["holds"] * 3
    page = (tmp_path / "study" / "report.html").read_text()
    assert "good approximation" in page
    assert 'src="http' not in page


def test_a_run_that_went_on_getting_better_does_not_hold(tmp_path: Path) -> None:
    stages = {epochs: evaluation(4000 / epochs) for epochs in (10.0, 30.0, 50.0, 100.0)}
    write_gallery(tmp_path / "gallery", tmp_path / "study", "dcgan", stages)
    found = findings(tmp_path, "no-better-after-50", "poor-after-10")
    assert found["no-better-after-50"].word == "does not hold"
    assert found["poor-after-10"].word == "does not hold"


def test_rare_digits_and_bad_digits_are_told_apart(tmp_path: Path) -> None:
    drawn = dict.fromkeys(DIGITS, 5) | {"2": 1, "3": 1, "1": 9}
    dcgan(tmp_path, histogram={"drawn": drawn, "data": dict.fromkeys(DIGITS, 20), "total_variation": 0.1})
    found = findings(tmp_path, "rare-2-3", "worse-2-3", "stray-marks")
    assert {key: one.word for key, one in found.items()} == {
        "rare-2-3": "holds",
        "worse-2-3": "does not hold",
        "stray-marks": "does not hold",
    }


def test_losses_accuracies_and_copies_are_read_from_statistics_and_figures(tmp_path: Path) -> None:
    def lines(epoch_images: int, epochs: int) -> list[dict[str, Any]]:
        """D wins at first and then guesses; both losses fall, and ever less."""
        made = []
        for epoch in range(1, epochs + 1):
            wave, settled = (-1) ** epoch / epoch, epoch > epochs / 2
            share = 0.6 if settled else 0.9
            made.append(
                stats_line(
                    epoch * epoch_images,
                    epoch,
                    loss={"discriminator": 1 + 1 / epoch + wave, "generator": 1 + 1 / epoch - wave},
                    accuracy={"real_train": share, "fake": share, "separation": 0.99},
                    figures={"frechet": 100.0 / epoch},
                )
            )
        return made

    strokes = {key: {"spread": {"value": 0.5, "real": 0.5}} for key in ("stroke_width", "slant")}
    ends = {20.0: evaluation(50.0), 200.0: evaluation(50.0, details=strokes)}
    write_gallery(tmp_path / "gallery", tmp_path / "study", "raschka", ends, lines(EPOCH, 200))
    halves = {50.0: evaluation(30.0), 100.0: evaluation(29.0)}
    steps = load_recipe("baseline").training.epoch_images(EPOCH)
    write_gallery(tmp_path / "gallery", tmp_path / "study", "baseline", halves, lines(steps, 100))
    dcgan_stages = {epochs: evaluation(1.0) for epochs in (10.0, 30.0, 50.0, 100.0)}
    write_gallery(tmp_path / "gallery", tmp_path / "study", "dcgan", dcgan_stages, lines(EPOCH, 100))
    found = findings(
        tmp_path, "losses-settle", "varied-strokes", "not-memorised", "stalemate", "losses-opposed", "half-at-optimum"
    )
    assert {key: one.word for key, one in found.items()} == {
        "losses-settle": "holds",
        "varied-strokes": "holds",
        "not-memorised": "holds",
        "stalemate": "holds",
        "losses-opposed": "holds",  # their waves are mirrored
        "half-at-optimum": "does not hold",
    }


def test_wgan_is_held_against_dcgan_at_fifty_epochs(tmp_path: Path) -> None:
    dcgan(tmp_path)
    better = evaluation(91.0, details={"recall": {"value": 0.9}})
    better["histogram"]["total_variation"] = 0.01
    for recipe in ("wgan-gp", "wgan"):
        write_gallery(tmp_path / "gallery", tmp_path / "study", recipe, {50.0: better})
    found = findings(tmp_path, "wgan-alike", "wgan-no-collapse", "wgan-slower")
    assert found["wgan-alike"].word == "holds"
    assert found["wgan-no-collapse"].word == "holds"
    assert found["wgan-slower"].word == "does not hold"  # equally fast, as the made-up statistics have it


def test_svhn_cannot_be_told_without_it_and_trains_nothing(tmp_path: Path) -> None:
    keys = [claim.key for claim in CLAIMS if claim.key.startswith("svhn")]
    dcgan(tmp_path)
    found = findings(tmp_path, *keys)
    assert {one.word for one in found.values()} == {"cannot be told"}
    assert all("dcgan-svhn" in one.sentence for one in found.values())


def test_other_data_or_fewer_runs_settle_nothing_for_a_document(tmp_path: Path) -> None:
    dcgan(tmp_path)
    (tmp_path / "gallery" / "dcgan-2").rename(tmp_path / "elsewhere")
    needs = {"dcgan": NEEDS["dcgan"]}
    plan = plan_runs(needs, "mnist", MNIST, Extent(3), tmp_path / "gallery")
    assert [(one.seed, one.found is not None, one.trial is not None) for one in plan] == [
        (0, True, False),
        (1, True, False),
        (2, False, True),
    ]
    others = plan_runs(needs, "mine.npz", MNIST, Extent(3), tmp_path / "gallery")
    assert all(one.found is None for one in others)


def test_roles_that_begin_alike_share_a_training(tmp_path: Path) -> None:
    needs = {role: NEEDS[role] for role in ("dcgan-first-epochs", "dcgan", "dcgan-even-rates")}
    plan = {one.role: one for one in plan_runs(needs, "mnist", MNIST, QUICK, tmp_path)}
    names = {role: one.trial.name for role, one in plan.items() if one.trial}
    assert names == {
        "dcgan-first-epochs": "quick-dcgan-0",
        "dcgan": "quick-dcgan-0",
        "dcgan-even-rates": "quick-dcgan-even-rates-0",
    }
    first, whole = plan["dcgan-first-epochs"], plan["dcgan"]
    assert first.images * first.scale == pytest.approx(whole.images * whole.scale / 10)


def test_a_stand_in_is_narrow_and_short_and_keeps_what_its_role_is_about() -> None:
    asked = NEEDS["raschka-early"].asked(1)
    short = narrowed(asked, NEEDS["raschka-early"].settings, 0.01)
    assert short.networks.generator_width == asked.networks.generator_width // 4
    assert short.record.snapshot == "1/4 run"
    assert short.training.seed == 1


def test_every_claim_rests_on_roles_and_recipes_that_are_there_and_has_a_name_of_its_own() -> None:
    keys = [claim.key for claim in CLAIMS]
    assert len(set(keys)) == len(keys)
    for claim in CLAIMS:
        assert set(claim.roles) <= set(NEEDS), claim.key
        assert claim.document in {"001", "002", "003", "004"}
    later = {need.recipe for need in NEEDS.values()} - set(recipe_names())
    assert later <= {"dcgan-svhn"}
    for role, need in NEEDS.items():
        if need.is_known:
            assert need.asked(0), role


def test_an_unknown_claim_and_a_folder_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='did you mean "slow-d"'):
        study_claims(tmp_path / "study", only=["slowd"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(OutputError, match="something else than a study"):
        study_claims(tmp_path / "full", only=["slow-d"])
