"""What document 001 claims: 5,000 images, 50 epochs, a discriminator that learns alone first, many small digits."""

from __future__ import annotations

from collections.abc import Sequence

from digitforge.studies.claim_pictures import models, over_training
from digitforge.studies.evidence import Evidence, MissingError, Need
from digitforge.studies.finding import BETTER, NO_BETTER, NO_WORSE, WORSE, Claim, Condition

_EPOCHS, _BEFORE = 50, 40  # the document's length, and the snapshot before it

# As many images are shown to each D as the document's 50 epochs of 5,000 show.
NEEDS = {
    "upsample": Need("upsample", stages=(_BEFORE, _EPOCHS)),
    "upsample-500": Need("upsample", {"data.count": 500}, epochs=500),
    "upsample-60000": Need("upsample", {"data.count": 0, "training.images": 255_000}),
    "upsample-no-pretraining": Need("upsample", {"training.pretrain_images": 0}),
}


def _enough_images(evidence: Evidence) -> Sequence[Condition]:
    few, all_of_them = (evidence.each(role, lambda run: run.distance()) for role in ("upsample", "upsample-60000"))
    says = "distance after learning from 5,000 images over that from all, as many shown"
    return [Condition(says, few, NO_WORSE, all_of_them, is_ratio=True, n=evidence.count("upsample"))]


def _fewer_images(evidence: Evidence) -> Sequence[Condition]:
    fewer, few = (evidence.each(role, lambda run: run.distance()) for role in ("upsample-500", "upsample"))
    says = "distance after learning from 500 images over that from 5,000, as many shown"
    return [Condition(says, fewer, WORSE, few, is_ratio=True, n=evidence.count("upsample"))]


def _enough_epochs(evidence: Evidence) -> Sequence[Condition]:
    last = evidence.each("upsample", lambda run: run.distance(_EPOCHS) / run.distance(_BEFORE))
    says = f"distance after {_EPOCHS} epochs over that after {_BEFORE}"
    return [Condition(says, last, NO_BETTER, is_ratio=True, n=evidence.count("upsample"))]


def _pretraining(evidence: Evidence) -> Sequence[Condition]:
    roles = ("upsample", "upsample-no-pretraining")
    with_it, without = (evidence.each(role, lambda run: run.distance()) for role in roles)
    says = "distance with D's lesson beforehand over that without"
    return [Condition(says, with_it, BETTER, without, is_ratio=True, n=evidence.count("upsample"))]


def _dense_layer(evidence: Evidence) -> Sequence[Condition]:
    raise MissingError("no figure here tells what the numbers inside a network stand for")


CLAIMS = (
    Claim(
        "5000-images",
        "001",
        "5,000 of MNIST's images are enough.",
        "The recipe learns from 5,000 and from all 60,000 images and sees as many in all. It holds if the former is at "
        "most a quarter farther from real images.",
        ("upsample", "upsample-60000"),
        _enough_images,
        pictures=models("upsample", "upsample-60000"),
    ),
    Claim(
        "500-images",
        "001",
        "5,000 images are needed: 500 are too few (our question; the document tried 5,000 alone).",
        "The same with 500 images. It holds if the distance to real images is more than a quarter larger.",
        ("upsample-500", "upsample"),
        _fewer_images,
        pictures=models("upsample-500", "upsample"),
    ),
    Claim(
        "50-epochs",
        "001",
        "50 epochs are enough.",
        "It holds if the last ten of them lowered the distance to real images by less than a fifth.",
        ("upsample",),
        _enough_epochs,
        pictures=over_training("upsample", 10, _BEFORE, _EPOCHS),
    ),
    Claim(
        "pretraining",
        "001",
        "It helps if the discriminator first learns alone to tell digits from noise.",
        "The recipe with and without that lesson, with as many images shown afterwards. It holds if the distance to "
        "real images is more than a fifth lower with it. Rates and beta1 are ours, as the document names none: the "
        "finding is one about these.",
        ("upsample", "upsample-no-pretraining"),
        _pretraining,
        pictures=models("upsample", "upsample-no-pretraining"),
    ),
    Claim(
        "dense-layer",
        "001",
        "The generator's wide dense layer holds many low-resolution digits.",
        "It speaks of what a layer's numbers mean, which digitforge does not measure.",
        (),
        _dense_layer,
    ),
)
