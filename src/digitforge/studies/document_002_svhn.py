"""What document 002 claims of SVHN: harder, D's loss rises, colours mix, one and two digits; runs are only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digitforge.studies.claim_pictures import curves, models
from digitforge.studies.evidence import Evidence, MissingError, Need, StudiedRun
from digitforge.studies.finding import ABOVE, AS_VARIED, SHARE, Claim, Condition
from digitforge.studies.intervals import Region

_TURN = 50  # epochs after which the document saw D's loss rise
_HARDER = Region(low=1.0)
_BOTH = Region(0.1, 0.9)  # shares of a kind between which both kinds are seen: at least one image in ten of each

# 200 epochs of 73,257 colour images take a processor days, so that a study reads such runs and never begins one.
NEEDS = {"dcgan-svhn": Need("dcgan-svhn", is_trained=False)}


def _harder(evidence: Evidence) -> Sequence[Condition]:
    svhn, mnist = (evidence.each(role, lambda run: run.floors()) for role in ("dcgan-svhn", "dcgan"))
    says = "DCGAN's distance on SVHN over that on MNIST, each in its own floor"
    return [Condition(says, svhn, _HARDER, mnist, is_ratio=True, n=evidence.count("dcgan-svhn"))]


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


def _colours(evidence: Evidence) -> Sequence[Condition]:
    def spread(run: StudiedRun) -> float:
        found = _detail(run, "colour_spread", "how varied colours are")
        return float(found["value"] / found["real"])

    says, values = "spread of images' mean colours over that of real ones", evidence.each("dcgan-svhn", spread)
    return [Condition(says, values, AS_VARIED, is_ratio=True, n=evidence.count("dcgan-svhn"))]


def _one_or_two(evidence: Evidence) -> Sequence[Condition]:
    def crowded(run: StudiedRun) -> float:
        return float(_detail(run, "crowded", "how many digits an image shows")["value"])

    says = "share of images in which the classifier sees a digit beside the one in the middle"
    return [
        Condition(says, evidence.each("dcgan-svhn", crowded), _BOTH, n=evidence.count("dcgan-svhn"), possible=SHARE)
    ]


def _detail(run: StudiedRun, key: str, what: str) -> Mapping[str, float]:
    """One of the details of a run's images. Raises MissingError where their reader does not tell it."""
    found: Mapping[str, float] | None = run.figures(details=True)["details"][key]
    if not found:
        raise MissingError(f"what read the images of {run.folder.path.name} does not tell {what}")
    return found


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
        "How far images' mean colours spread around their mean, over that of real images. It holds if drawn ones have "
        "more than four fifths of it. Figure and ground are not told apart.",
        ("dcgan-svhn",),
        _colours,
        pictures=models("dcgan-svhn"),
    ),
    Claim(
        "svhn-one-or-two",
        "002",
        "On SVHN images of one digit and of two both appear.",
        "The share of images in which a classifier that learned from rendered house numbers sees a digit beside the "
        "one in the middle. It holds if that lies between one and nine in ten.",
        ("dcgan-svhn",),
        _one_or_two,
        pictures=models("dcgan-svhn"),
    ),
)
