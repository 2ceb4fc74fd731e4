"""A figure: a number that never goes without the images behind it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number and the images behind it.

    n: images that it was taken from. reference_n: real training images that they were held against, None for none.
    real: the same of real images in the model's place, None where there are none; real_n: so many of them. They are
    held-out ones, but for what each image measures alone where nothing is held out: that is of training images then.
    """

    value: float
    n: int
    reference_n: int | None = None
    real: float | None = None
    real_n: int | None = None

    def as_dict(self) -> dict[str, float | int]:
        """Value and counts, as plain types; what there is none of is left out."""
        table = {
            "value": self.value,
            "n": self.n,
            "reference_n": self.reference_n,
            "real": self.real,
            "real_n": self.real_n,
        }
        return {key: value for key, value in table.items() if value is not None}
