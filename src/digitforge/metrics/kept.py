"""Evaluations that were made before, kept in the cache by what they are of, since a full one takes a while."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from digitforge import __version__
from digitforge.data import is_at_hand, load_data
from digitforge.data.fetch import cache_folder
from digitforge.data.sources import Progress
from digitforge.errors import DataError
from digitforge.files import keep, read_table
from digitforge.forge import Forge
from digitforge.metrics.details import Details
from digitforge.metrics.evaluate import COUNT, evaluate, fitting_classifier
from digitforge.metrics.real import Notify
from digitforge.metrics.subject import Subject


def kept_evaluation(forge: Forge, notify: Notify | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """A model held against what it was trained on, as Evaluation.as_dict() has it: from the cache, or made now.

    What is kept counts as long as it is of the images that the model learned from. Raises DataError where these are
    others by now, and what evaluate() raises.
    """
    classifier = fitting_classifier(Subject.of_model(forge))
    path = cache_folder() / "evaluations" / f"{forge.sha256[:16]}-{classifier.sha256[:16]}-{__version__}.json"
    kept = read_table(path)
    wanted = {"model_sha256": forge.sha256, "classifier_sha256": classifier.sha256, "count": COUNT, "seed": 0}
    is_of_it = kept is not None and _has_details(kept) and all(kept.get(key) == value for key, value in wanted.items())
    learned = forge.card.data
    if kept is not None and is_of_it and kept.get("data_sha256") == learned.sha256:
        return kept
    if not _are_there(learned.name, learned.sha256):
        raise DataError(f"{learned.name} holds other images than {forge.path} learned from")
    if notify:
        notify(f"measuring {COUNT:,} images of {forge.path}")
    found = evaluate(forge, classifier=classifier, notify=notify, progress=progress)
    keep(path, lambda stream: stream.write(found.to_json().encode()))
    return found.as_dict()


def _are_there(name: str, sha256: object) -> bool:
    """Whether data are still those with a hash; what is not on this machine can't have changed on it."""
    if not is_at_hand(name):
        return True
    try:
        return load_data(name).train.sha256 == sha256
    except DataError:
        return True


def _has_details(kept: dict[str, Any]) -> bool:
    """Whether all of today's details are there."""
    details = kept.get("details")
    return isinstance(details, dict) and {field.name for field in fields(Details)} <= details.keys()
