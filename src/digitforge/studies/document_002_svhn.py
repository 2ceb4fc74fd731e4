"""What document 002 claims of SVHN: harder, D's loss rises, colours mix, one and two digits; runs are only read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from digitforge.studies.claim_pictures import curves, models
from digitforge.studies.evidence import Evidence, MissingError, Need, StudiedRun
from digitforge.studies.finding import ABOVE, Claim, Condition
from digitforge.studies.intervals import Region

_TURN = 50  # epochs after which the document saw D's loss rise
_HARDER = Region(low=1.0)

# 200 epochs of 73,257 colour images take a processor days, so that a study reads such runs and never begins one.
NEEDS = {"dcgan-svhn": Need("dcgan-svhn", is_trained=False)}


def _harder(evidence: Evidence) -> Sequence[Condition]:
    def in_floors(run: StudiedRun) -> float:
        ratio = run.figures()["ratio"]
        if ratio is None:
            raise MissingError(f"{run.folder.path.name} has no floor to be held against")
        return float(ratio)

    svhn, mnist = (evidence.each(role, in_floors) for role in ("dcgan-svhn", "dcgan"))
    says = "DCGAN's distance on SVHN over that on MNIST, each in its own floor"
    return [Condition(says, svhn, _HARDER, mnist, is_ratio=True)]


def _loss_rises(evidence: Evidence) -> Sequence[Condition]:
    def rise(run: StudiedRun) -> float:
        curve = run.curve("loss.discriminator")
        before = curve.values[curve.images <= run.images_after(_TURN)]
        after = curve.values[curve.images > run.images_after(_TURN)]
        if not len(before) or not len(after):
            raise MissingError(f"{run.folder.path.name} did not go past {_TURN} epochs")
        return float(after[-len(after) // 4 :].mean() - before[-len(before) // 4 :].mean())

    says = f"D's loss in the last quarter less that just before epoch {_TURN}"
    return [Condition(says, evidence.each("dcgan-svhn", rise), ABOVE)]


def _no_judge(what: str) -> Callable[[Evidence], Sequence[Condition]]:
    def measure(evidence: Evidence) -> Sequence[Condition]:
        evidence.of("dcgan-svhn")
        raise MissingError(f"no judge here tells {what}")

    return measure


CLAIMS = (
    Claim(
        "svhn-harder",
        "002",
        "SVHN is harder to draw than MNIST.",
        "DCGAN's distance to real images on each, in units of the distance of real held-out images.",
        ("dcgan-svhn", "dcgan"),
        _harder,
        pictures=models("dcgan-svhn"),
    ),
    Claim(
        "svhn-loss-rises",
        "002",
        "On SVHN D's loss keeps rising after 50 epochs.",
        "D's loss in the last quarter of what follows epoch 50, less that in the last quarter of what precedes it.",
        ("dcgan-svhn",),
        _loss_rises,
        pictures=curves("dcgan-svhn"),
    ),
    Claim(
        "svhn-colours",
        "002",
        "On SVHN colours of figure and ground come in varied mixtures.",
        "It would take a judge that tells figure from ground in drawn colour images.",
        ("dcgan-svhn",),
        _no_judge("the colour of a figure from that of its ground"),
        pictures=models("dcgan-svhn"),
    ),
    Claim(
        "svhn-one-or-two",
        "002",
        "On SVHN images of one digit and of two both appear.",
        "It would take a judge that counts digits in drawn images.",
        ("dcgan-svhn",),
        _no_judge("how many digits an image shows"),
        pictures=models("dcgan-svhn"),
    ),
)
