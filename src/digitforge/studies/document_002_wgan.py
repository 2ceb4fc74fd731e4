"""What document 002 claims of WGAN beside DCGAN on MNIST: as good, slower, safe from collapse."""

from __future__ import annotations

from collections.abc import Sequence

from digitforge.studies.claim_pictures import curves, over_training, together
from digitforge.studies.evidence import Evidence, Need, StudiedRun
from digitforge.studies.finding import ABOVE, ALIKE, BELOW, Claim, Condition
from digitforge.studies.intervals import Region

_ENOUGH = 50  # epochs after which the document holds one against the other, of DCGAN's hundred
_SLOWER = Region(low=1.0)

_TIMED = 2  # epochs in which steps are timed: in trainings of the study alone, in turns on one machine

NEEDS = {
    "wgan-gp": Need("wgan-gp"),
    "wgan": Need("wgan"),
    "dcgan-as-wgan": Need("dcgan", epochs=_ENOUGH),
    "dcgan-timed": Need("dcgan", epochs=_TIMED, is_own=True),
    "wgan-gp-timed": Need("wgan-gp", epochs=_TIMED, is_own=True),
}


def _alike(evidence: Evidence) -> Sequence[Condition]:
    wgan = evidence.each("wgan-gp", lambda run: run.distance())
    dcgan = evidence.each("dcgan-as-wgan", lambda run: run.distance())
    says = f"WGAN-GP's distance after {_ENOUGH} epochs over DCGAN's"
    return [Condition(says, wgan, ALIKE, dcgan, is_ratio=True, n=evidence.count("wgan-gp"))]


def _slower(evidence: Evidence) -> Sequence[Condition]:
    wgan, dcgan = (evidence.each(role, _seconds_an_image) for role in ("wgan-gp-timed", "dcgan-timed"))
    return [Condition("WGAN-GP's seconds an image over DCGAN's", wgan, _SLOWER, dcgan, is_ratio=True)]


def _no_collapse(evidence: Evidence) -> Sequence[Condition]:
    def coverage(run: StudiedRun) -> float:
        return float(run.figures(details=True)["details"]["coverage"]["value"])

    def off_shares(run: StudiedRun) -> float:
        return float(run.figures()["histogram"]["total_variation"])

    conditions, count = [], evidence.count("dcgan-as-wgan")
    for says, measure, claimed in (
        ("coverage: share of real images with a drawn one in their neighbourhood", coverage, ABOVE),
        ("share of images whose label is one too many", off_shares, BELOW),
    ):
        dcgan = evidence.each("dcgan-as-wgan", measure)
        for role in ("wgan-gp", "wgan"):
            values = evidence.each(role, measure)
            conditions.append(Condition(f"{says}, {role} less dcgan", values, claimed, dcgan, n=count))
    return conditions


def _seconds_an_image(run: StudiedRun) -> float:
    return run.history.seconds / run.history.images


CLAIMS = (
    Claim(
        "wgan-alike",
        "002",
        "Samples of WGAN and of DCGAN do not differ significantly.",
        "It holds if WGAN-GP's distance to real images after 50 epochs is DCGAN's to within a factor of 1.25.",
        ("wgan-gp", "dcgan-as-wgan"),
        _alike,
        pictures=together(over_training("wgan-gp", _ENOUGH), over_training("dcgan-as-wgan", _ENOUGH)),
    ),
    Claim(
        "wgan-slower",
        "002",
        "WGAN with a gradient penalty costs more time.",
        f"Seconds in training steps an image, over {_TIMED} epochs of each, trained for it in turns. It holds if "
        "WGAN-GP's are more.",
        ("dcgan-timed", "wgan-gp-timed"),
        _slower,
        pictures=curves("dcgan-timed", "wgan-gp-timed"),
    ),
    Claim(
        "wgan-no-collapse",
        "002",
        "WGAN avoids the collapse that a plain GAN is prone to.",
        "After 50 epochs, coverage of WGAN-GP and of WGAN less that of DCGAN, and how far labels are off their shares. "
        "It holds if both WGANs have the higher coverage and the truer shares. Bad images lower coverage too; in "
        "recall they count as variety where they scatter, as real images then lie among them (Naeem et al. 2020).",
        ("wgan-gp", "wgan", "dcgan-as-wgan"),
        _no_collapse,
        pictures=together(*(over_training(role, _ENOUGH) for role in ("wgan-gp", "wgan", "dcgan-as-wgan"))),
    ),
)
