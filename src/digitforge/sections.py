"""The tables that a recipe is made of: every setting of a run, typed, with its unit and default."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Positive = Annotated[int, Field(gt=0)]
Several = Annotated[int, Field(ge=2)]  # images that are compared with each other: one alone has no spread
# Four times the widest network of the papers, and what a model's card takes: a recipe from elsewhere that asks for more
# would fill any memory, or lose its model at the end.
MAX_SIZE = 4096
Size = Annotated[int, Field(gt=0, le=MAX_SIZE)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A table of a recipe: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Interval(Section):
    """How often something happens: every so many images or epochs, or so many times a run."""

    count: float = Field(gt=0)
    unit: Literal["images", "epochs", "run"]

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read "5000 images", "10 epochs" or "1/12 run"."""
        match = re.fullmatch(r"\s*(?:1/(\d{1,9})\s+run|(\d{1,12}(?:\.\d{1,9})?)\s+(image|epoch)s?)\s*", text)
        parts, count, unit = match.groups() if match else (None, None, None)
        size = float(parts or count or 0)
        if size == 0:
            raise ValueError(f'"{text}" is no interval; write "5000 images", "10 epochs" or "1/12 run"')
        if parts:
            return cls(count=1 / size, unit="run")
        return cls(count=size, unit="images" if unit == "image" else "epochs")

    def in_images(self, run_images: int, epoch_images: int) -> int:
        """The interval in images, at least one; parts of a run are rounded up, so that the last one ends with it."""
        size = {"images": 1, "epochs": epoch_images, "run": run_images}[self.unit]
        exact = self.count * size
        return max(1, math.ceil(round(exact, 6)) if self.unit == "run" else round(exact))


class Data(Section):
    """What the discriminator takes for real."""

    name: str = Field(default="mnist", min_length=1)  # a data set's name, or a path
    digits: tuple[str, ...] = ()  # the labels to train on, by name; none: all of them
    count: int = Field(default=0, ge=0)  # how many training images, an equal number a label; 0: all of them
    sha256: str = ""  # of all its training images and labels, which no others may stand in for; set when a run starts

    @field_validator("digits", mode="before")
    @classmethod
    def _as_names(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, int):
            value = [value]
        return [str(label) for label in value] if isinstance(value, list | tuple) else value


class Networks(Section):
    """Two networks of one family, and what goes in."""

    family: str
    conditional: bool = False  # whether both networks are told the label
    # Into how many clusters k-means puts the images, of which both networks are told in the place of labels while they
    # learn (after Liu et al. 2020, "Diverse image generation via self-conditioned GANs"); 0: of none. k-means++ takes
    # time in proportion to their square: some seconds for 256.
    clusters: int = Field(default=0, ge=0, le=256)
    latent_size: Size = 100  # numbers a latent has
    latent: Literal["normal", "uniform"] = "normal"  # N(0, 1), or uniform in -1..1
    pixels: Literal["signed", "unit"] = "signed"  # images in -1..1 (the generator ends in tanh) or 0..1 (sigmoid)
    generator_width: Size = 64  # channels that all of a family's layers are multiples or parts of
    discriminator_width: Size = 64
    leaky_slope: Fraction = 0.2
    dropout: Fraction = 0.0  # share of D's activations dropped

    @property
    def drawing_size(self) -> int:
        """Numbers that make a drawing: a latent's, and one for each cluster, which choose it."""
        return self.latent_size + self.clusters

    @model_validator(mode="after")
    def _one_thing_is_told(self) -> Networks:
        if self.clusters and self.conditional:
            raise ValueError(
                f"{self.clusters} clusters are for who is told no labels: set conditional = false, or clusters = 0"
            )
        return self

    @model_validator(mode="after")
    def _fits_a_card(self) -> Networks:
        if self.drawing_size > MAX_SIZE:
            raise ValueError(
                f"latent_size and clusters together are at most {MAX_SIZE:,}, and these are {self.drawing_size:,}"
            )
        return self


class Objective(Section):
    """What each player minimises."""

    loss: Literal["non-saturating", "relativistic", "wasserstein"]
    r1: float = Field(
        default=0.0, ge=0
    )  # gamma of the gradient penalty on real images (of all together, where D has batch norm)
    r2: float = Field(default=0.0, ge=0)  # gamma of the gradient penalty on fake images
    gradient_penalty: float = Field(default=0.0, ge=0)  # lambda: D's gradient between real and fake is to have norm 1
    penalty_every: Positive = 1  # steps between penalties; each counts that many times
    clip: float = Field(default=0.0, ge=0)  # D's weights are kept within -clip..clip; 0: not clipped


class Optimiser(Section):
    """How one player learns: Adam (Kingma and Ba 2015) or RMSprop (Hinton 2012)."""

    method: Literal["adam", "rmsprop"] = "adam"
    rate: float = Field(gt=0)  # step size at its highest
    beta1: Fraction = 0.9  # how slowly Adam forgets earlier gradients; RMSprop keeps none, which is 0
    beta2: Fraction = 0.999  # how slowly earlier squared gradients are forgotten
    epsilon: float = Field(default=1e-7, gt=0)

    @model_validator(mode="after")
    def _rmsprop_has_no_momentum(self) -> Optimiser:
        if self.method == "rmsprop" and self.beta1:
            raise ValueError(f"rmsprop keeps no earlier gradients: set beta1 = 0, not {self.beta1}")
        return self


class Training(Section):
    """How long, in what order and at what rates."""

    seconds: float | None = Field(default=None, gt=0)  # time in training steps; becomes `images` once speed is known
    images: Positive | None = None  # real images shown to D
    epochs: float | None = Field(default=None, gt=0)  # of the adversarial phase
    epoch_share: float = Field(default=1.0, gt=0, le=1)  # of the data set is an epoch; below 1, in whole batches
    pretrain_images: int = Field(default=0, ge=0)  # real images that D first learns to tell from noise, G waiting
    seed: int = Field(default=0, ge=0, lt=2**32)
    batch_size: Positive = 128  # images in one global batch
    batch_doublings: int = Field(default=0, ge=0, le=8)  # times that it doubles, at equal distances in images seen
    # Both players from the same fakes and the same D; or D first, then G against the new D, from fresh fakes or from
    # those that D has just learned from.
    update: Literal["simultaneous", "alternating", "alternating-same-fakes"] = "simultaneous"
    critic_steps: Positive = 1  # D's turns, a fresh batch each, to one turn of G
    generator_batches: Positive = 1  # batches of latents in a turn of G
    constant_until: float = Field(default=1.0, ge=0, le=1)  # share of the run after which rates fall to zero, linearly
    warmup_images: int = Field(default=0, ge=0)  # images over which rates rise from zero
    ema_images: int = Field(default=0, ge=0)  # half-life of the generator's weight average, in images; 0: no average

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        given = [key for key in ("seconds", "images", "epochs") if getattr(self, key) is not None]
        if len(given) != 1:
            said = " and ".join(given) if given else "none of them"
            raise ValueError(f"a run's length is one of seconds, images and epochs, and this recipe gives {said}")
        return self

    @model_validator(mode="after")
    def _turns_fit_update(self) -> Training:
        if self.critic_steps > 1 and self.update == "simultaneous":
            raise ValueError('critic_steps above 1 need update = "alternating": simultaneous players have no turns')
        if self.generator_batches > 1 and self.update != "alternating":
            raise ValueError('generator_batches above 1 need update = "alternating", where G draws fakes of its own')
        return self

    def epoch_images(self, count: int) -> int:
        """Real images that an epoch shows to D, of a data set of `count`."""
        if self.epoch_share == 1:
            return count
        batches = int(count * self.epoch_share) // self.batch_size
        return max(1, batches) * self.batch_size

    @property
    def images_alone(self) -> int:
        """Real images that D has seen at G's first step: its first phase in whole batches of the first size."""
        return -(-self.pretrain_images // self.batch_size) * self.batch_size

    @property
    def said_length(self) -> str:
        """How long a run is, in the words of its recipe."""
        if self.seconds is not None:
            return f"{self.seconds:g} s"
        return f"{self.images:,} images" if self.images is not None else f"{self.epochs:g} epochs"

    def length(self, count: int) -> int | None:
        """Real images that the whole run shows to D, of a data set of `count`; None where its length is a time."""
        if self.epochs is None:
            return self.images
        return self.pretrain_images + round(self.epochs * self.epoch_images(count))


class Record(Section):
    """What a run writes while it trains, and how often."""

    tick: str = "1/50 run"  # a line of statistics
    accuracy: str = "1/10 run"  # D's accuracy, measured at a tick
    accuracy_images: Several = 2000  # at most so many images of each kind
    figures: str = "1/10 run"  # what G's images measure, at a tick
    figure_images: Several = 1000  # that they are taken from: 0.3 s on two cores
    sheet: str = "1/12 run"  # a grid of the same latents
    snapshot: str = "1/6 run"  # the generator's weights
    checkpoint_seconds: float = Field(default=30.0, gt=0)  # least time between checkpoints to resume from

    @field_validator("tick", "accuracy", "figures", "sheet", "snapshot")
    @classmethod
    def _is_interval(cls, value: str) -> str:
        Interval.parse(value)
        return value


class Compute(Section):
    """What a run computes with; resolved when it starts, since it decides the last bits."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "bf16", "32"] = "auto"  # auto: bf16 where the processor multiplies it natively
    threads: int = Field(default=0, ge=0)  # threads a process; 0: one a core
