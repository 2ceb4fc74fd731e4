"""Pixels: bytes become a network's numbers and come back as they were."""

from __future__ import annotations

import pytest
import torch

from digitforge.networks.pixels import Range, to_network, to_uint8

EVERY_BYTE = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)


@pytest.mark.parametrize("pixels", ["signed", "unit"])
def test_every_byte_survives_the_way_to_the_network_and_back(pixels: Range) -> None:
    assert torch.equal(to_uint8(to_network(EVERY_BYTE, pixels), pixels), EVERY_BYTE)


@pytest.mark.parametrize(("pixels", "low", "middle"), [("signed", -1.0, 1 / 255), ("unit", 0.0, 128 / 255)])
def test_bytes_fill_the_range(pixels: Range, low: float, middle: float) -> None:
    numbers = to_network(torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 1, 1, 3), pixels)
    torch.testing.assert_close(numbers.flatten(), torch.tensor([low, middle, 1.0]))


@pytest.mark.parametrize("pixels", ["signed", "unit"])
def test_what_lies_outside_the_range_is_clamped_and_never_wraps(pixels: Range) -> None:
    assert to_uint8(torch.tensor([-7.0, 1.001, 300.0]), pixels).tolist() == [0, 255, 255]


def test_numbers_are_rounded_to_the_nearest_byte() -> None:
    assert to_uint8(torch.tensor([0.4, 0.6, 254.6]) / 255, "unit").tolist() == [0, 1, 255]


def test_half_precision_comes_back_as_bytes_too() -> None:
    assert to_uint8(torch.tensor([-1.0, 0.0, 1.0], dtype=torch.bfloat16), "signed").tolist() == [0, 128, 255]


def test_the_images_handed_in_stay_as_they_are_and_come_out_channels_last() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    before = images.clone()
    numbers = to_network(images, "signed")
    assert torch.equal(images, before)
    assert numbers.dtype == torch.float32
    assert numbers.is_contiguous(memory_format=torch.channels_last)
