"""The documents' claims on made-up runs whose answers are known, and on what is not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from digitforge.data import DataSet
from digitforge.data.svhn import TRAIN_COUNT
from digitforge.errors import DataError, OutputError, UserError
from digitforge.recipe import load_recipe, recipe_names
from digitforge.report.comparison import differing_settings
from digitforge.runs import RunFolder, count_of
from digitforge.sheets import read_png
from digitforge.studies import claims
from digitforge.studies.claim_runs import Extent, Planned, gather, narrowed, plan_runs, runaways
from digitforge.studies.claims import CLAIMS, NEEDS, QUICK, RARE_DRAWS, study_claims
from digitforge.studies.evidence import Evidence
from digitforge.studies.finding import Finding, settle
from digitforge.studies.intervals import Word
from digitforge.studies.measures import Measures
from digitforge.studies.study import StudyFolder
from digitforge.studies.trials import Trial
from drawn_runs import stats_line, write_run_of
from tiny_runs import tiny_digits

COUNT = 50  # images that are said to be behind a figure
SEEDS = (0, 1, 2)
THREE = Extent(len(SEEDS), None, COUNT)
DIGITS = tuple("0123456789")
MNIST = DataSet("mnist", tiny_digits(6000, 0, 28), tiny_digits(100, 1, 28))  # what stands for it here
JUDGED = 40  # images of each kind that D is said to have judged
END = -1.0  # in the place of a number of epochs: all of them

Figures = dict[str, Any]
Line = Mapping[str, Any]
Role = tuple[Mapping[float, Figures], Callable[[int], Sequence[Line]] | None]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny data in the place of MNIST, and nothing trained."""

    def train_nothing(trials: Sequence[Trial], place: Path, *_: Any, **__: Any) -> dict[str, str]:
        assert all(trial.folder(place).is_finished for trial in trials), [trial.name for trial in trials]
        return {}

    monkeypatch.setattr("digitforge.studies.study.load_data", lambda name, progress=None: MNIST)
    monkeypatch.setattr(claims, "train_trials", train_nothing)


def evaluation(frechet: float, **changes: Any) -> Figures:
    """What a snapshot measures: every digit ten floors away, a tenth of the images and as clean as real ones.

    digits: floors by digit; readings, marks: what else is kept of a snapshot, beside its evaluation.
    """
    by_label = {digit: {"stray_marks": {"value": 0.02, "n": 5, "real": 0.02}} for digit in DIGITS}
    figures: Figures = {
        "frechet": {"value": frechet, "n": COUNT},
        "ratio": {"value": frechet},
        "histogram": {"drawn": dict.fromkeys(DIGITS, 5), "data": dict.fromkeys(DIGITS, 20), "total_variation": 0.1},
        "details": {"by_label": by_label, "coverage": {"value": 0.5}, "copies": {"value": 0.001, "real": 0.001}},
        "digits": dict.fromkeys(DIGITS, 10.0),
    }
    figures["details"] |= changes.pop("details", {})
    figures["details"]["by_label"] |= changes.pop("by_label", {})
    figures["digits"] |= changes.pop("digits", {})
    return figures | changes


def study_measures(tmp_path: Path) -> Measures:
    return Measures(tmp_path / "study" / "measured", MNIST, COUNT, free_draws=RARE_DRAWS)


def keep(measures: Measures, run: RunFolder, images: int, figures: Figures, seed: int) -> None:
    """Keep what a snapshot measures, each seed a little apart."""
    apart = json.loads(json.dumps(figures))
    nudge = 1 + 0.01 * (seed - 1)
    apart["frechet"]["value"] *= nudge
    digits = {digit: {"floors": floors * nudge} for digit, floors in apart.pop("digits").items()}
    kept = {"figures": apart, "details": apart, f"digits-{'-'.join(DIGITS)}-of-{RARE_DRAWS}": digits}
    kept |= {kind: apart[kind] for kind in ("readings", "marks") if kind in apart}
    for kind, table in kept.items():
        path = measures.path(run, images, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(table))


def write_role(
    tmp_path: Path,
    role: str,
    stages: Mapping[float, Figures],
    lines: Callable[[int], Sequence[Line]] | None = None,
    settings: Mapping[str, object] | None = None,
) -> None:
    """Three finished runs of a role and what their snapshots measure, by epochs; lines: from the images of an epoch."""
    StudyFolder(tmp_path / "study").create("claims")
    need, measures = NEEDS[role], study_measures(tmp_path)
    size = len(MNIST.train) if need.is_trained else TRAIN_COUNT
    for seed in SEEDS:
        asked = need.asked(seed).with_settings(settings or {})
        images = asked.training.length(asked.data.count or size)
        assert images is not None
        before, epochs = asked.training.pretrain_images, asked.training.epochs or 1
        each = (images - before) / epochs
        counts = {stage: round(before + (epochs if stage == END else stage) * each) for stage in stages}
        place = tmp_path / "gallery" / f"{role}-{seed}"
        if need.is_own:
            (own,) = (one for one in plan(tmp_path, role) if one.seed == seed)
            assert own.trial is not None
            place = own.trial.folder(tmp_path / "study" / "runs").path
        run = write_run_of(
            place,
            asked.with_settings({"training.images": images, "compute.device": "cpu", "compute.threads": 1}),
            lines(round(each)) if lines else None,
            sheets=dict.fromkeys(counts.values(), 100),
            snapshots=list(counts.values()),
            is_finished=True,
        )
        for stage, figures in stages.items():
            keep(measures, run, counts[stage], figures, seed)


def plan(tmp_path: Path, *roles: str) -> list[Planned]:
    return plan_runs({role: NEEDS[role] for role in roles}, "mnist", MNIST, THREE, [tmp_path / "gallery"])


def findings(tmp_path: Path, *keys: str, runs: str = "gallery", out: str = "study") -> dict[str, Finding]:
    outcome = study_claims(tmp_path / out, only=keys, runs=tmp_path / runs, extent=THREE)
    return {finding.claim.key: finding for finding in outcome.findings}


def dcgan(**end: Any) -> dict[float, Figures]:
    """DCGANs that are poor after 10 epochs, 2, 5 and 8 above all, good after 30, and as good as that ever after."""
    poor = evaluation(400.0, digits={"2": 40.0, "5": 40.0, "8": 40.0})
    return {10.0: poor, 30.0: evaluation(100.0), 50.0: evaluation(90.0), END: evaluation(88.0, **end)}


def told(epochs: int, *moments: Mapping[str, Any], each: float = 1.0) -> Callable[[int], Sequence[Line]]:
    """Statistics at the first whole batch after every `each` epochs; `moments` come again in their order."""

    def lines(epoch_images: int) -> list[Line]:
        count = round(epochs / each)
        return [
            stats_line(
                -(-round(tick * each * epoch_images) // 256) * 256, tick * each, **moments[(tick - 1) % len(moments)]
            )
            for tick in range(1, count + 1)
        ]

    return lines


def judged(share: float) -> dict[str, Any]:
    """What D is right about, both of real and of fake images."""
    shares: dict[str, float] = {"real_train": share, "fake": share, "separation": share}
    return {"accuracy": {**shares, "real_train_n": JUDGED, "fake_n": JUDGED}}


def ending(*sentences: str) -> Callable[[int], Sequence[Line]]:
    """Twenty epochs of runs that were well till the last one, of which the diagnosis says this."""
    well = judged(0.6)
    return told(20, *[well] * 19, well | {"diagnosis": list(sentences)})


def losing(share: float, epochs: int) -> Callable[[int], Sequence[Line]]:
    return told(epochs, judged(share))


def loss(*values: float) -> Callable[[int], Sequence[Line]]:
    """Ten epochs in which both losses take these values in turn."""
    return told(10, *({"loss": {"discriminator": value, "generator": value}} for value in values))


def readings(nines: float, others: float, to_sevens: float) -> dict[str, Any]:
    """Of 1,000 images of each digit, the share of which the classifier is unsure, and what unsure 9s come next to."""
    unsure = round(1000 * nines)
    sevens = round(unsure * to_sevens)
    other = {"n": 1000, "unsure": round(1000 * others), "second": {"0": round(1000 * others)}}
    return dict.fromkeys(DIGITS[:9], other) | {
        "9": {"n": 1000, "unsure": unsure, "second": {"7": sevens, "4": unsure - sevens}}
    }


D_WINS = "The discriminator wins and the generator learns no more from it: it is right on 100 %; lower its rate."
G_COLLAPSED = "The generator has collapsed and draws only a part of what there is: 0 of 1,000 are read as 3; raise r1."
BY_HEART = "The data are so few that the discriminator learns them by heart: by so much; take more."
REAL_NINES = readings(0.1, 0.02, 0.3)
RASCHKA: Role = ({20.0: evaluation(50.0), END: evaluation(40.0)}, None)
SETTLED = {50.0: evaluation(30.0), END: evaluation(29.0)}
OF_SVHN = {"colour_spread": {"value": 45.0, "real": 50.0}, "crowded": {"value": 0.4, "real": 0.5}}


def ends(frechet: float, **changes: Any) -> Role:
    return {END: evaluation(frechet, **changes)}, None


def drawing(**details: Any) -> Role:
    """Document 004's runs with some details of what they draw at the end."""
    return {20.0: evaluation(50.0), END: evaluation(40.0, details=details)}, None


def strokes(spread: float) -> dict[str, Any]:
    """How varied strokes are, beside real ones of 0.5."""
    return {key: {"spread": {"value": spread, "real": 0.5}} for key in ("stroke_width", "slant")}


def marked(digits: Sequence[str]) -> dict[str, Any]:
    """So many stray marks on these, ten times as many as on real ones."""
    return {digit: {"stray_marks": {"value": 0.2, "n": 5, "real": 0.02}} for digit in digits}


def of_nines(drawn: Mapping[str, Any]) -> Role:
    return dcgan(readings={"drawn": drawn, "real": REAL_NINES}), None


def of_svhn(**details: Any) -> Role:
    return ends(60.0, details=OF_SVHN | details)


@pytest.mark.parametrize(
    ("key", "word", "roles"),
    [
        (
            "5000-images",
            "holds",
            {"upsample": ({40.0: evaluation(90.0)} | ends(80)[0], None), "upsample-60000": ends(75)},
        ),
        (
            "5000-images",
            "does not hold",
            {"upsample": ({40.0: evaluation(90.0)} | ends(80)[0], None), "upsample-60000": ends(40)},
        ),
        (
            "500-images",
            "holds",
            {"upsample-500": ends(200), "upsample": ({40.0: evaluation(90.0)} | ends(80)[0], None)},
        ),
        ("50-epochs", "holds", {"upsample": ({40.0: evaluation(90.0)} | ends(88)[0], None)}),
        ("50-epochs", "does not hold", {"upsample": ({40.0: evaluation(90.0)} | ends(50)[0], None)}),
        (
            "pretraining",
            "does not hold",
            {"upsample": ({40.0: evaluation(90.0)} | ends(80)[0], None), "upsample-no-pretraining": ends(80)},
        ),
        (
            "pretraining",
            "holds",
            {"upsample": ({40.0: evaluation(60.0)} | ends(50)[0], None), "upsample-no-pretraining": ends(80)},
        ),
        ("poor-after-10", "holds", {"dcgan": (dcgan(), None)}),
        ("poor-after-10", "holds", {"dcgan-first-epochs": ends(400, digits={"2": 40.0, "5": 40.0, "8": 40.0})}),
        ("poor-after-10", "does not hold", {"dcgan-first-epochs": ends(400, digits={"1": 90.0})}),
        ("good-after-30", "holds", {"dcgan": (dcgan(), None)}),
        ("good-after-30", "holds", {"dcgan-good-epochs": ({10.0: evaluation(400.0)} | ends(100)[0], None)}),
        (
            "good-after-30",
            "does not hold",
            {"dcgan": (dcgan() | {10.0: evaluation(1000), 30.0: evaluation(700)}, None)},
        ),
        ("no-better-after-50", "holds", {"dcgan": (dcgan(), None)}),
        ("no-better-after-50", "does not hold", {"dcgan": (dcgan() | ends(60)[0], None)}),
        (
            "slow-d",
            "holds",
            {"dcgan-first-epochs": (ends(9)[0], loss(1, 1.1)), "dcgan-even-rates": (ends(9)[0], loss(1, 3))},
        ),
        (
            "slow-d",
            "does not hold",
            {"dcgan-first-epochs": (ends(9)[0], loss(1, 3)), "dcgan-even-rates": (ends(9)[0], loss(1, 1.1))},
        ),
        ("half-at-optimum", "holds", {"dcgan": (dcgan(), losing(0.51, 100))}),
        ("half-at-optimum", "does not hold", {"dcgan": (dcgan(), losing(0.99, 100))}),
        ("stray-marks", "holds", {"dcgan": (dcgan(by_label=marked("58")), None)}),
        ("stray-marks", "does not hold", {"dcgan": (dcgan(by_label=marked(DIGITS)), None)}),
        ("unseen-marks", "holds", {"dcgan": (dcgan(marks={"above": 0.51}), None)}),
        ("unseen-marks", "does not hold", {"dcgan": (dcgan(marks={"above": 0.9}), None)}),
        ("worse-2-3", "holds", {"dcgan": (dcgan(digits={"2": 30.0, "3": 20.0}), None)}),
        ("worse-2-3", "does not hold", {"dcgan": (dcgan(digits={"1": 30.0, "8": 20.0}), None)}),
        ("nine-drifts", "holds", {"dcgan": of_nines(readings(0.4, 0.05, 0.6))}),
        ("nine-drifts", "does not hold", {"dcgan": of_nines(readings(0.1, 0.02, 0.6))}),  # as real nines do
        ("noise-size", "holds", {"dcgan-10-numbers": ends(60), "dcgan-first-epochs": ends(90)}),
        ("noise-size", "does not hold", {"dcgan-10-numbers": ends(85), "dcgan-first-epochs": ends(90)}),
        ("svhn-harder", "holds", {"dcgan-svhn": of_svhn(), "dcgan": (dcgan(ratio={"value": 30.0}), None)}),
        ("svhn-harder", "does not hold", {"dcgan-svhn": of_svhn(), "dcgan": (dcgan(), None)}),
        ("svhn-colours", "holds", {"dcgan-svhn": of_svhn()}),
        ("svhn-colours", "does not hold", {"dcgan-svhn": of_svhn(colour_spread={"value": 20.0, "real": 50.0})}),
        ("svhn-one-or-two", "holds", {"dcgan-svhn": of_svhn()}),
        ("svhn-one-or-two", "does not hold", {"dcgan-svhn": of_svhn(crowded={"value": 0.01, "real": 0.5})}),
        (
            "d-wins-at-first",
            "holds",
            {
                "baseline-first-epoch": (ends(9)[0], told(1, judged(0.6), judged(0.99), each=0.1)),
                "baseline": (SETTLED, losing(0.6, 100)),
            },
        ),
        (
            "d-wins-at-first",
            "does not hold",
            {
                "baseline-first-epoch": (ends(9)[0], told(1, judged(0.7), each=0.1)),
                "baseline": (SETTLED, losing(0.6, 100)),
            },
        ),
        ("stalemate", "holds", {"baseline": (SETTLED, losing(0.6, 100))}),
        (
            "stalemate",
            "does not hold",
            {"baseline": (SETTLED, told(100, *[judged(0.6)] * 75, *[judged(0.9)] * 25))},
        ),
        (
            "noise-to-digits",
            "holds",
            {
                "raschka-early": ({0.0: evaluation(900), 0.25: evaluation(400), 1.0: evaluation(90)}, None),
                "raschka": RASCHKA,
            },
        ),
        (
            "noise-to-digits",
            "does not hold",
            {
                "raschka-early": ({0.0: evaluation(900), 0.25: evaluation(890), 1.0: evaluation(90)}, None),
                "raschka": RASCHKA,
            },
        ),
        ("not-memorised", "does not hold", {"raschka": drawing(copies={"value": 0.3, "real": 0.001})}),
        ("varied-strokes", "holds", {"raschka": drawing(**strokes(0.48))}),
        ("varied-strokes", "does not hold", {"raschka": drawing(**strokes(0.1))}),
        ("strong-d", "holds", {"raschka-strong-d": (ends(50)[0], ending(D_WINS)), "raschka": RASCHKA}),
        ("strong-d", "cannot be told", {"raschka-strong-d": (ends(100)[0], ending(BY_HEART)), "raschka": RASCHKA}),
        ("strong-g", "holds", {"raschka-strong-g": (ends(50)[0], ending(BY_HEART, G_COLLAPSED)), "raschka": RASCHKA}),
        ("strong-g", "cannot be told", {"raschka-strong-g": (ends(100)[0], ending()), "raschka": RASCHKA}),
    ],
)
def test_a_claim_is_found_as_it_was_made_up(tmp_path: Path, key: str, word: Word, roles: Mapping[str, Role]) -> None:
    for role, (stages, lines) in roles.items():
        write_role(tmp_path, role, stages, lines)
    found = findings(tmp_path, key)[key]
    assert found.word == word, found.sentence
    assert found.reasons == ()


def test_a_study_leaves_its_verdicts_as_a_page_and_as_json(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan", dcgan())
    found = findings(tmp_path, "poor-after-10", "good-after-30", "no-better-after-50")
    assert found["no-better-after-50"].conditions[0].values == pytest.approx([88 / 90] * 3)
    table = json.loads((tmp_path / "study" / "results.json").read_text())
    assert [one["verdict"] for one in table["findings"]] == ["holds"] * 3
    page = (tmp_path / "study" / "report.html").read_text()
    assert "good approximation" in page
    assert 'src="http' not in page
    shown = [one for finding in table["findings"] for one in finding["pictures"]]
    assert [one["file"] for one in shown] == [
        *("pictures/poor-after-10-1.png", "pictures/good-after-30-1.png", "pictures/good-after-30-2.png"),
        *("pictures/no-better-after-50-1.png", "pictures/no-better-after-50-2.png"),
    ]
    for one in shown:
        read_png((tmp_path / "study" / one["file"]).read_bytes())  # raises for what is none
        assert one["caption"] in page


def test_rare_digits_and_bad_digits_are_told_apart(tmp_path: Path) -> None:
    drawn = dict.fromkeys(DIGITS, 5) | {"2": 1, "3": 1, "1": 9}
    histogram = {"drawn": drawn, "data": dict.fromkeys(DIGITS, 20), "total_variation": 0.1}
    write_role(tmp_path, "dcgan", dcgan(histogram=histogram))
    found = findings(tmp_path, "rare-2-3", "worse-2-3", "stray-marks")
    assert {key: one.word for key, one in found.items()} == {
        "rare-2-3": "holds",
        "worse-2-3": "does not hold",
        "stray-marks": "does not hold",
    }


def test_each_figure_says_how_many_images_are_behind_it(tmp_path: Path) -> None:
    drawn = readings(0.4, 0.05, 0.6)
    write_role(tmp_path, "dcgan", dcgan(readings={"drawn": drawn, "real": REAL_NINES}), told(100, judged(0.6)))
    write_role(tmp_path, "dcgan-svhn", of_svhn()[0])
    found = findings(tmp_path, "nine-drifts", "half-at-optimum", "worse-2-3", "stray-marks", "svhn-harder")
    assert {key: {condition.n for condition in one.conditions} for key, one in found.items()} == {
        "nine-drifts": {400},  # unsure 9s
        "half-at-optimum": {JUDGED},
        "worse-2-3": {500},  # of each digit
        "stray-marks": {10},  # 5s and 8s
        "svhn-harder": {COUNT},
    }


def test_labels_that_a_claim_speaks_of_may_be_lacking(tmp_path: Path) -> None:
    other = {key: {"n": 10, "unsure": 1, "second": {"shoe": 1}} for key in ("shoe", "bag")}
    write_role(tmp_path, "dcgan", dcgan(readings={"drawn": other, "real": other}))
    found = findings(tmp_path, "nine-drifts", "no-better-after-50")
    assert found["nine-drifts"].reasons == ("the data have no label 9",)
    assert found["no-better-after-50"].word == "holds"


def test_a_damaged_sheet_is_a_picture_less(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan", dcgan())
    for sheet in (tmp_path / "gallery" / "dcgan-0" / "samples").iterdir():
        sheet.write_bytes(b"no picture")
    found = findings(tmp_path, "no-better-after-50")["no-better-after-50"]
    assert (found.word, found.plates) == ("holds", ())


def test_losses_and_copies_are_read_from_statistics_and_figures(tmp_path: Path) -> None:
    def lines(epochs: int) -> Callable[[int], Sequence[Line]]:
        """Both losses fall, and ever less; their waves are mirrored."""

        def made(epoch_images: int) -> list[Line]:
            return [
                stats_line(
                    epoch * epoch_images,
                    epoch,
                    loss={
                        "discriminator": 1 + (1 + (-1) ** epoch) / epoch,
                        "generator": 1 + (1 - (-1) ** epoch) / epoch,
                    },
                    figures={"frechet": 100.0 / epoch},
                )
                for epoch in range(1, epochs + 1)
            ]

        return made

    write_role(tmp_path, "raschka", drawing(**strokes(0.5))[0], lines(200))
    write_role(tmp_path, "dcgan", dcgan(), lines(100))
    found = findings(tmp_path, "losses-settle", "varied-strokes", "not-memorised", "losses-opposed")
    assert {key: one.word for key, one in found.items()} == dict.fromkeys(found, "holds")


def test_wgan_is_held_against_dcgan_at_fifty_epochs_and_shown_so(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan", dcgan())
    better = evaluation(91.0, details={"coverage": {"value": 0.9}})
    better["histogram"]["total_variation"] = 0.01
    for role in ("wgan-gp", "wgan"):
        write_role(tmp_path, role, {END: better})
    found = findings(tmp_path, "wgan-alike", "wgan-no-collapse")
    assert found["wgan-alike"].word == "holds"
    assert found["wgan-no-collapse"].word == "holds"
    assert ["after 50 epochs" in plate.caption for plate in found["wgan-alike"].plates] == [True, True]


def test_scattered_bad_images_are_no_variety(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan", dcgan())
    scattered = evaluation(400.0, details={"recall": {"value": 0.99}, "coverage": {"value": 0.1}})
    scattered["histogram"]["total_variation"] = 0.01
    for role in ("wgan-gp", "wgan"):
        write_role(tmp_path, role, {END: scattered})
    assert findings(tmp_path, "wgan-no-collapse")["wgan-no-collapse"].word == "does not hold"


def test_a_verdict_tells_how_runs_ended_and_where_one_side_has_no_spread(tmp_path: Path) -> None:
    write_role(tmp_path, "upsample", {40.0: evaluation(60.0)} | ends(50)[0])
    black = evaluation(100.0)
    write_role(tmp_path, "upsample-no-pretraining", {END: black}, told(50, judged(1.0) | {"diagnosis": [D_WINS]}))
    for run in map(RunFolder, (tmp_path / "gallery").glob("upsample-no-pretraining-*")):
        keep(study_measures(tmp_path), run, count_of(run.snapshots()[-1]), black, seed=1)
    found = findings(tmp_path, "pretraining")["pretraining"]
    wins = "the discriminator wins and the generator learns no more from it"
    assert found.endings == (f"3 of 3 runs of upsample-no-pretraining ended so: {wins}",)
    assert found.sentence.endswith(f". {found.endings[0]}.")
    assert "the latter all measured the same, so that the interval tells the former's spread alone" in found.sentence


def test_a_fault_that_went_away_is_no_collapse(tmp_path: Path) -> None:
    write_role(tmp_path, "raschka", RASCHKA[0])
    won = judged(0.99) | {"diagnosis": [D_WINS]}
    write_role(tmp_path, "raschka-strong-d", ends(50)[0], told(20, *[won] * 19, judged(0.6)))
    found = findings(tmp_path, "strong-d")["strong-d"]
    assert (found.word, found.conditions[0].values, found.endings) == ("cannot be told", (0.0, 0.0, 0.0), ())


def test_a_larger_distance_stands_beside_the_count_of_collapses_and_decides_nothing(tmp_path: Path) -> None:
    write_role(tmp_path, "raschka", RASCHKA[0])
    write_role(tmp_path, "raschka-strong-d", ends(100)[0], ending())
    found = findings(tmp_path, "strong-d")["strong-d"]
    count, ratio = found.conditions
    assert (count.word, ratio.word, found.word) == ("cannot be told", "holds", "cannot be told")
    assert "; beside it, distance after 20 epochs with D's rate 10 times as high over that as described: 2.00" in (
        found.sentence
    )
    assert "<td>beside it</td>" in (tmp_path / "study" / "report.html").read_text()


def test_a_run_that_was_never_diagnosed_tells_of_no_collapse(tmp_path: Path) -> None:
    write_role(tmp_path, "raschka", RASCHKA[0])
    write_role(tmp_path, "raschka-strong-d", *ends(100))
    found = findings(tmp_path, "strong-d")["strong-d"]
    assert (found.word, found.conditions) == ("cannot be told", ())
    assert "measured neither D nor figures" in found.sentence


def test_noise_is_shown_of_either_size(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-10-numbers", ends(60)[0])
    write_role(tmp_path, "dcgan", dcgan())
    captions = [plate.caption for plate in findings(tmp_path, "noise-size")["noise-size"].plates]
    assert [caption.split(",")[0] for caption in captions] == ["dcgan-10-numbers", "dcgan-first-epochs"]


def test_svhn_cannot_be_told_without_it_and_trains_nothing(tmp_path: Path) -> None:
    keys = [claim.key for claim in CLAIMS if claim.key.startswith("svhn")]
    write_role(tmp_path, "dcgan", dcgan())
    found = findings(tmp_path, *keys)
    assert {one.word for one in found.values()} == {"cannot be told"}
    assert all("dcgan-svhn" in one.sentence for one in found.values())


def test_a_claim_that_lacks_its_runs_on_svhn_has_none_trained_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[Trial]] = []
    monkeypatch.setattr("digitforge.studies.claims.train_trials", lambda trials, *_, **__: asked.append(trials) or {})
    assert findings(tmp_path, "svhn-harder")["svhn-harder"].word == "cannot be told"
    write_role(tmp_path, "dcgan-svhn", *of_svhn())
    findings(tmp_path, "svhn-harder")
    (tmp_path / "gallery" / "dcgan-svhn-2").rename(tmp_path / "elsewhere")
    findings(tmp_path, "svhn-harder", out="other")
    assert [len(trials) for trials in asked] == [0, 3, 0]


def test_a_loss_on_svhn_is_followed_over_all_its_epochs(tmp_path: Path) -> None:
    low, high = ({"loss": {"discriminator": height, "generator": 1.0}} for height in (0.5, 1.0))
    write_role(tmp_path, "dcgan-svhn", of_svhn()[0], told(200, *[low] * 50, *[high] * 150))
    assert findings(tmp_path, "svhn-loss-rises")["svhn-loss-rises"].word == "holds"


def test_runs_on_svhn_that_are_gone_take_no_claim_with_them(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-svhn", *of_svhn())
    before = findings(tmp_path, "svhn-colours", "svhn-one-or-two")
    assert {one.word for one in before.values()} == {"holds"}
    (tmp_path / "gallery").rename(tmp_path / "moved")
    for key in ("dense-layer", "svhn-colours"):
        with pytest.raises(UserError, match=r"tells of .*svhn-one-or-two from runs that are gone \(dcgan-svhn-0"):
            findings(tmp_path, key)
    assert findings(tmp_path, "svhn-colours", runs="moved")["svhn-one-or-two"].word == "holds"


def test_the_folder_that_is_named_comes_before_one_that_was(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-good-epochs", {10.0: evaluation(400.0)} | ends(100)[0])
    first = findings(tmp_path, "good-after-30")["good-after-30"]
    (tmp_path / "gallery").rename(tmp_path / "a-gallery")
    findings(tmp_path, "good-after-30", runs="a-gallery")
    write_role(tmp_path, "dcgan-good-epochs", {10.0: evaluation(400.0)} | ends(399)[0])
    assert findings(tmp_path, "good-after-30")["good-after-30"].sentence != first.sentence


def test_a_short_run_on_svhn_is_none(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-svhn", of_svhn()[0], settings={"training.epochs": 2})
    assert plan(tmp_path, "dcgan-svhn") == []


def test_a_damaged_neighbour_on_svhn_ends_nothing(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-svhn", of_svhn()[0])
    (tmp_path / "gallery" / "dcgan-svhn-1" / "recipe.toml").write_text("what is this")
    assert [one.seed for one in plan(tmp_path, "dcgan-svhn")] == [0, 2]


def test_runs_that_diverged_are_evidence_of_a_collapse_and_elsewhere_a_shortfall(tmp_path: Path) -> None:
    write_role(tmp_path, "raschka", RASCHKA[0])
    planned = plan(tmp_path, "raschka", "raschka-first-epochs", "raschka-strong-d")
    gone = runaways(planned, [f"raschka-strong-d-{seed}" for seed in SEEDS])
    assert gone == {"raschka-strong-d": 3}
    runs = gather(planned, StudyFolder(tmp_path / "study"), study_measures(tmp_path))
    by_key = {claim.key: claim for claim in CLAIMS}
    found = settle(by_key["strong-d"], Evidence(NEEDS, runs, gone))
    assert (found.word, found.reasons) == ("holds", ())
    assert found.conditions[0].values == (1.0, 1.0, 1.0)
    one_less = {"raschka": runs["raschka"][:2]}
    plain = settle(by_key["not-memorised"], Evidence(NEEDS, one_less, {"raschka": 1}))
    assert (plain.word, plain.reasons) == ("cannot be told", ("1 of 3 runs of raschka diverged",))


def test_a_study_hears_of_the_trainings_that_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_role(tmp_path, "raschka", RASCHKA[0])
    monkeypatch.setattr(
        claims, "train_trials", lambda trials, *_, **__: {trial.name: "its losses are no numbers" for trial in trials}
    )
    found = findings(tmp_path, "strong-g", "strong-d")
    assert {key: one.word for key, one in found.items()} == {"strong-g": "holds", "strong-d": "holds"}


def test_a_run_that_diverged_counts_beside_those_that_did_not(tmp_path: Path) -> None:
    write_role(tmp_path, "raschka", RASCHKA[0])
    write_role(tmp_path, "raschka-strong-g", ends(50)[0], ending())
    planned = plan(tmp_path, "raschka-first-epochs", "raschka-strong-g")
    runs = gather(planned, StudyFolder(tmp_path / "study"), study_measures(tmp_path))
    runs["raschka-strong-g"] = runs["raschka-strong-g"][:2]
    (claim,) = (claim for claim in CLAIMS if claim.key == "strong-g")
    found = settle(claim, Evidence(NEEDS, runs, {"raschka-strong-g": 1}))
    assert (found.word, found.conditions[0].values) == ("holds", (1.0, 0.0, 0.0))  # one collapse shows that it can be


def test_data_that_nothing_can_read_end_a_study_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "digitforge.studies.study.load_data", lambda name, progress=None: DataSet("small", tiny_digits(20), None)
    )
    with pytest.raises(DataError, match="no classifier here reads"):
        study_claims(tmp_path / "study", only=["slow-d"])
    assert not (tmp_path / "study").exists()


def test_other_data_or_fewer_runs_settle_nothing_for_a_document(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan", dcgan())
    (tmp_path / "gallery" / "dcgan-2").rename(tmp_path / "elsewhere")
    assert [(one.seed, one.found is not None, one.trial is not None) for one in plan(tmp_path, "dcgan")] == [
        (0, True, False),
        (1, True, False),
        (2, False, True),
    ]
    others = plan_runs({"dcgan": NEEDS["dcgan"]}, "mine.npz", MNIST, THREE, [tmp_path / "gallery"])
    assert all(one.found is None for one in others)


def test_a_run_without_the_moments_that_are_asked_for_gives_way_to_one_that_has_them(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan", {50.0: evaluation(90.0), END: evaluation(88.0)})
    write_role(tmp_path, "dcgan-first-epochs", ends(400)[0])
    found = [one.found for one in plan(tmp_path, "dcgan-first-epochs")]
    assert [run and run.path.name for run in found] == [f"dcgan-first-epochs-{seed}" for seed in SEEDS]


def test_times_are_those_of_the_study_alone_whose_trainings_take_turns(tmp_path: Path) -> None:
    for role in ("dcgan", "wgan-gp"):
        write_role(
            tmp_path, role, {10.0: evaluation(90), 30.0: evaluation(90), 50.0: evaluation(90), END: evaluation(90)}
        )
    trials = [one.trial and one.trial.name for one in plan(tmp_path, "dcgan-timed", "wgan-gp-timed")]
    assert trials == [f"{role}-timed-{seed}" for seed in SEEDS for role in ("dcgan", "wgan-gp")]
    write_role(tmp_path, "dcgan-timed", ends(9)[0], told(2, {"clock": {"seconds": 1.0}}))
    write_role(tmp_path, "wgan-gp-timed", ends(9)[0], told(2, {"clock": {"seconds": 2.0}}))
    found = findings(tmp_path, "wgan-slower")["wgan-slower"]
    assert (found.word, found.conditions[0].interval.mean) == ("holds", pytest.approx(2))


def test_claims_told_of_before_stay_and_runs_of_the_study_serve_again(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-good-epochs", {10.0: evaluation(400.0, digits={"2": 40.0})} | ends(100)[0])
    (tmp_path / "study" / "runs").rmdir()
    (tmp_path / "gallery").rename(tmp_path / "study" / "runs")
    assert list(findings(tmp_path, "good-after-30")) == ["good-after-30"]
    found = findings(tmp_path, "poor-after-10")
    assert {key: one.word for key, one in found.items()} == {"poor-after-10": "holds", "good-after-30": "holds"}
    table = json.loads((tmp_path / "study" / "results.json").read_text())
    assert [one["run"] for one in table["runs"]] == [f"dcgan-good-epochs-{seed}" for seed in SEEDS]
    assert table["runs"][0]["name"] == "dcgan-first-epochs-0, dcgan-good-epochs-0"


def test_claims_told_from_runs_elsewhere_stay_where_others_are_looked_at(tmp_path: Path) -> None:
    write_role(tmp_path, "dcgan-good-epochs", {10.0: evaluation(400.0, digits={"2": 40.0})} | ends(100)[0])
    (before,) = findings(tmp_path, "good-after-30").values()
    found = findings(tmp_path, "dense-layer", runs="nowhere")
    assert found["good-after-30"].sentence == before.sentence
    assert set(found) == {"good-after-30", "dense-layer"}
    results = (tmp_path / "study" / "results.json").read_bytes()
    (tmp_path / "gallery").rename(tmp_path / "moved")
    with pytest.raises(
        UserError, match=r"tells of good-after-30 from runs that are gone \(dcgan-good-epochs-0, dcgan.*-2\): .*--runs"
    ):
        findings(tmp_path, "dense-layer", runs="nowhere")
    assert (tmp_path / "study" / "results.json").read_bytes() == results
    again = findings(tmp_path, "dense-layer", runs="moved")
    assert again["good-after-30"].sentence == before.sentence


def test_a_d_that_jumps_about_one_mean_has_no_more_trouble_later(tmp_path: Path) -> None:
    """By chance alone the best of its first ten accuracies lies above its last one."""
    write_role(tmp_path, "baseline-first-epoch", ends(9)[0], told(1, *map(judged, [0.8, 0.95] * 5), each=0.1))
    write_role(tmp_path, "baseline", SETTLED, told(100, *map(judged, [0.95, 0.8])))
    found = findings(tmp_path, "d-wins-at-first")["d-wins-at-first"]
    assert found.conditions[1].interval.mean == pytest.approx(0, abs=0.01)
    assert found.word != "holds"


def test_a_d_that_wins_for_some_epochs_has_trouble_later(tmp_path: Path) -> None:
    """As the recipe records it: once in ten epochs."""
    write_role(tmp_path, "baseline-first-epoch", ends(9)[0], told(1, judged(0.97), each=0.1))
    write_role(tmp_path, "baseline", SETTLED, told(100, *map(judged, [0.97, 0.97, *[0.55] * 8]), each=10))
    assert findings(tmp_path, "d-wins-at-first")["d-wins-at-first"].word == "holds"


def test_a_loss_that_falls_first_and_jumps_later_does_not_settle(tmp_path: Path) -> None:
    """A steep fall is no unrest, and a level mean no calm."""
    values = [*(2 - tick / 40 for tick in range(40)), *[1.0] * 120, *[0.8, 0.9] * 20]
    losses = [{"loss": {"discriminator": value, "generator": value}} for value in values]
    write_role(tmp_path, "raschka", {20.0: evaluation(50.0), END: evaluation(50.0)}, told(200, *losses))
    found = findings(tmp_path, "losses-settle")["losses-settle"]
    assert [one.word for one in found.conditions] == ["holds", "does not hold"] * 2


def test_data_too_few_for_a_claim_end_a_study_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = DataSet("mnist", tiny_digits(600, 0, 28), tiny_digits(100, 1, 28))
    monkeypatch.setattr("digitforge.studies.study.load_data", lambda name, progress=None: few)
    with pytest.raises(UserError, match=r"upsample-0 is to learn from 5,000 images, and mnist has 600; .*--only"):
        study_claims(tmp_path / "study", only=["50-epochs"], runs=tmp_path / "gallery")


def test_roles_that_begin_alike_share_a_training(tmp_path: Path) -> None:
    roles = {one.role: one for one in plan(tmp_path, "dcgan-first-epochs", "dcgan", "dcgan-even-rates") if not one.seed}
    assert {role: one.trial.name for role, one in roles.items() if one.trial} == {
        "dcgan-first-epochs": "dcgan-0",
        "dcgan": "dcgan-0",
        "dcgan-even-rates": "dcgan-even-rates-0",
    }


def test_stand_ins_that_are_compared_see_equally_many_images(tmp_path: Path) -> None:
    wanted = ("dcgan-first-epochs", "dcgan", "dcgan-even-rates", "dcgan-10-numbers", "wgan-gp")
    planned = plan_runs({role: NEEDS[role] for role in wanted}, "mnist", MNIST, QUICK, [tmp_path])
    images = {one.role: round(one.images * one.scale) for one in planned}
    assert images["dcgan-first-epochs"] == images["dcgan-even-rates"] == images["dcgan-10-numbers"] == 10 * 256
    assert images["dcgan"] == QUICK.quick_images
    assert images["wgan-gp"] == images["dcgan"] / 2  # which is held against DCGAN's first half
    for one in planned:
        assert one.trial is not None
        assert one.trial.images(MNIST) == images[one.role]


def test_a_stand_in_says_what_it_saw(tmp_path: Path) -> None:
    (one,) = plan_runs({"dcgan": NEEDS["dcgan"]}, "mnist", MNIST, QUICK, [tmp_path])
    assert one.trial is not None
    run = one.trial.folder(tmp_path / "study" / "runs")
    write_run_of(run.path, one.trial.recipe, is_finished=True)
    runs = gather([one], StudyFolder(tmp_path / "study"), study_measures(tmp_path))
    assert runs["dcgan"][0].shortfalls == (
        "a stand-in for dcgan, 4 times as narrow, saw 5,120 images in place of 100 epochs",
    )


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
    for role, need in NEEDS.items():
        assert need.recipe in recipe_names()
        assert need.asked(0), role


def test_a_variant_differs_from_its_recipe_in_what_its_claim_is_about() -> None:
    def changed(role: str) -> dict[str, list[str]]:
        need = NEEDS[role]
        recipes = [load_recipe(need.recipe).with_settings({"training.seed": 0}), need.asked(0)]
        return {key: told for key, told in differing_settings(recipes).items() if key != "training.epochs"}

    changes = {role: changed(role) for role in NEEDS}
    assert {role: told for role, told in changes.items() if told} == {
        "upsample-500": {"data.count": ["5,000", "500"]},
        "upsample-60000": {"data.count": ["5,000", "0"], "training.images": ["-", "255,000"]},
        "upsample-no-pretraining": {"training.pretrain_images": ["5,000", "0"]},
        "dcgan-even-rates": {"discriminator_optimiser.rate": ["0.0001", "0.001"]},
        "dcgan-10-numbers": {"networks.latent_size": ["100", "10"]},
        "raschka-strong-d": {"discriminator_optimiser.rate": ["0.0002", str(2e-4 * 10)]},
        "raschka-strong-g": {"generator_optimiser.rate": ["0.0003", str(3e-4 * 10)]},
    }
    rates = load_recipe("dcgan").generator_optimiser.rate, NEEDS["dcgan-even-rates"].asked(0)
    assert rates[1].discriminator_optimiser.rate == rates[0]


def test_an_unknown_claim_and_a_folder_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='did you mean "slow-d"'):
        study_claims(tmp_path / "study", only=["slowd"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(OutputError, match="something else than a study"):
        study_claims(tmp_path / "full", only=["slow-d"])
