"""Clusters: an image's is the nearest, a latent chooses each as often as it occurs, and nobody outside is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from digitforge.networks.clusters import ClusterChoice, NearestCluster
from network_checks import GREY, make, stir

SHARES = torch.tensor([0.6, 0.3, 0.1, 0.0])


def nearest_of(centres: torch.Tensor) -> NearestCluster:
    """What tells images by their nearest of some centres [K, P]."""
    made = NearestCluster(*centres.shape)
    made.weight.copy_(centres)
    made.bias.copy_(-centres.square().sum(1) / 2)
    return made


def choice_of(distribution: str) -> ClusterChoice:
    made = ClusterChoice(len(SHARES), distribution)
    made.shares.copy_(SHARES)
    return made


def test_an_image_belongs_to_the_nearest_centre() -> None:
    rng = torch.Generator().manual_seed(0)
    images, centres = torch.randn(50, 1, 4, 6, generator=rng), torch.randn(7, 24, generator=rng)
    expected = torch.cdist(images.flatten(1), centres).argmin(1)
    assert torch.equal(nearest_of(centres)(images), expected)
    assert len(expected.unique()) > 3


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_choose_each_cluster_as_often_as_its_share(distribution: str) -> None:
    rng = torch.Generator().manual_seed(0)
    size = (40_000, len(SHARES))
    numbers = torch.randn(size, generator=rng) if distribution == "normal" else torch.rand(size, generator=rng) * 2 - 1
    chosen = torch.bincount(choice_of(distribution)(numbers), minlength=len(SHARES))
    np.testing.assert_allclose(chosen / len(numbers), SHARES, atol=4 * 0.5 / len(numbers) ** 0.5)
    assert chosen[-1] == 0  # what never occurs is never chosen


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_numbers_far_out_choose_by_share_among_the_greatest_and_never_what_never_occurs(distribution: str) -> None:
    numbers = torch.tensor([[-40.0] * 4, [40.0] * 4, [-40, 40, 40, 40], [-40, -40, -40, 40]])
    assert choice_of(distribution)(numbers).tolist() == [0, 0, 1, 0]


def test_who_uses_a_generator_that_learned_by_clusters_gives_it_latents_alone() -> None:
    generator = make("express", clusters=3).generator.eval()
    stir(generator)
    latents = torch.randn(6, 7 + 3, generator=torch.Generator().manual_seed(1))
    chosen = generator.choice(latents[:, 7:])
    assert len(chosen.unique()) > 1
    assert generator.label_count == 0
    for labels in (None, torch.zeros(6, dtype=torch.int64)):
        assert torch.equal(generator.drawn(latents, labels), generator(latents[:, :7], chosen))


def test_a_discriminator_that_learned_by_clusters_sees_them_for_itself() -> None:
    discriminator = make("express", clusters=3).discriminator
    stir(discriminator)
    rng = torch.Generator().manual_seed(1)
    images, centres = torch.randn(8, *GREY, generator=rng), torch.randn(3, 784, generator=rng)
    discriminator.clusters = nearest_of(centres)
    clusters = discriminator.clusters(images)
    assert len(clusters.unique()) > 1
    for labels in (None, torch.zeros(8, dtype=torch.int64)):
        assert torch.equal(discriminator.told(images, labels), clusters)
    assert not torch.equal(discriminator(images, clusters), discriminator(images, (clusters + 1) % 3))


def test_who_is_told_labels_is_told_no_clusters() -> None:
    pair = make("express", conditional=True)
    assert pair.generator.choice is None and pair.discriminator.clusters is None
    assert pair.generator.label_count == 10
    labels = torch.arange(3)
    assert pair.discriminator.told(torch.zeros(3, *GREY), labels) is labels
