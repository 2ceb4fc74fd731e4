"""How the learning rates change over a run."""

from digitforge.recipe import Training


def rate_factor(training: Training, images_seen: int, images: int) -> float:
    """What both rates are multiplied by: rising from zero in the warm-up, falling to zero, linearly, at the end."""
    progress = images_seen / images
    warm_up = min(1.0, (images_seen + training.batch_size) / training.warmup_images) if training.warmup_images else 1.0
    fall = 1.0
    if progress > training.constant_until:
        fall = max(0.0, (1 - progress) / (1 - training.constant_until))
    return warm_up * fall
