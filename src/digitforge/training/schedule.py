"""How batch size and learning rates change over a run, as functions of the recipe and of the images seen alone."""

from __future__ import annotations

from dataclasses import dataclass

from digitforge.sections import Training


@dataclass(frozen=True)
class Stage:
    """A part of a run with one batch size.

    first_step, steps: where it begins, and how many steps it takes. first_image: images seen before it.
    """

    first_step: int
    steps: int
    first_image: int
    batch_size: int


@dataclass(frozen=True)
class Timetable:
    """Which images each step of a run shows: the batch doubles at equal distances in images seen.

    A batch that grows while the rates stay has the effect on the noise that falling rates have on a batch that stays
    (Smith et al. 2018), and computes faster.
    """

    stages: tuple[Stage, ...]

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.stages[-1].first_step + self.stages[-1].steps

    @property
    def images(self) -> int:
        """Real images that the whole run shows to the discriminator."""
        return self.images_after(self.steps)

    def batch_size(self, step: int) -> int:
        """Images in the global batch of a step."""
        return self._stage(step).batch_size

    def images_after(self, steps: int) -> int:
        """Images seen after so many steps."""
        stage = self._stage(steps)
        return stage.first_image + (steps - stage.first_step) * stage.batch_size

    def _stage(self, step: int) -> Stage:
        return next(stage for stage in reversed(self.stages) if stage.first_step <= step)


def timetable(training: Training, images: int) -> Timetable:
    """The timetable of a run that shows at least `images` images, the last batch whole."""
    stages: list[Stage] = []
    parts = training.batch_doublings + 1
    step = seen = 0
    for part in range(parts):
        size = training.batch_size * 2**part
        steps = -(-max(0, images * (part + 1) // parts - seen) // size)
        stages.append(Stage(step, steps, seen, size))
        step, seen = step + steps, seen + steps * size
    return Timetable(tuple(stages))


def rate_factor(training: Training, images_seen: int, images: int) -> float:
    """What both rates are multiplied by: rising from zero in the warm-up, falling to zero, linearly, at the end."""
    progress = images_seen / images
    warm_up = min(1.0, (images_seen + training.batch_size) / training.warmup_images) if training.warmup_images else 1.0
    fall = 1.0
    if progress > training.constant_until:
        fall = max(0.0, (1 - progress) / (1 - training.constant_until))
    return warm_up * fall
