"""Judges: networks that are trained or fetched to judge a model; they need torch."""

from digitforge.data.digits import DataSet
from digitforge.errors import ModelError
from digitforge.forge import Forge


def check_shape(forge: Forge, data: DataSet) -> None:
    """Raise ModelError where a model draws images of another shape than the data that it is held against."""
    if forge.card.shape != data.train.shape:
        drawn, own = ("x".join(map(str, shape)) for shape in (forge.card.shape, data.train.shape))
        raise ModelError(
            f"{forge.path.name} draws images of {drawn}, and those of {data.name} are of {own} (channels x height x "
            "width); name the data that it was trained on"
        )
