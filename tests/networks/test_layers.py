"""Layers: what they compute, and that two processes compute what one does with the whole batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from digitforge.networks.layers import (
    BatchNorm,
    Dropout,
    Flatten,
    Logit,
    ToMap,
    from_all_processes,
    mixes_samples,
    processes,
    seed_dropout,
    this_process,
)

Results = dict[str, np.ndarray]
RATE = 0.3


def own_rows(whole: Tensor) -> Tensor:
    """This process's share of a global batch."""
    return whole.chunk(processes())[this_process()]


def normalise(shape: tuple[int, ...]) -> Results:
    """A BatchNorm's output, gradients and moments, and those of a penalty on its input's gradient.

    What belongs to rows comes as this process's rows; what belongs to the layer is averaged over the processes.
    """
    draw = torch.Generator().manual_seed(5)
    whole = torch.randn(shape, generator=draw) * 3 + 1
    goal = torch.randn(shape, generator=draw)
    norm = BatchNorm(shape[1], eps=1e-3, momentum=0.25)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(shape[1], generator=draw))
        norm.bias.copy_(torch.randn(shape[1], generator=draw))
    input = own_rows(whole).clone().requires_grad_(True)
    output = norm(input)
    loss = (output * own_rows(goal)).square().flatten(1).sum(1).mean()
    (slope,) = torch.autograd.grad(loss, input, create_graph=True)
    penalty = slope.square().flatten(1).sum(1).mean()
    gradients = torch.autograd.grad(loss, [input, norm.weight, norm.bias], retain_graph=True)
    seconds = torch.autograd.grad(penalty, [input, norm.weight])
    found = {"rows output": output, "rows gradient": gradients[0], "rows second gradient": seconds[0]}
    layer = {"weight gradient": gradients[1], "bias gradient": gradients[2], "second weight gradient": seconds[1]}
    assert norm.running_mean is not None and norm.running_var is not None
    layer |= {"mean": norm.running_mean, "variance": norm.running_var}
    found |= {f"layer {name}": from_all_processes(value.detach()).mean(0) for name, value in layer.items()}
    return {name: value.detach().numpy() for name, value in found.items()}


def drop(kinds: int) -> Results:
    """The maps that dropout lets through, by kind of rows, in two passes of one step."""
    whole = torch.ones(kinds, 6, 3, 4, 4)
    layer = Dropout(RATE)
    own = torch.cat([own_rows(kind) for kind in whole])
    seed_dropout(layer, seed=3, step=5, rows=6 // processes())
    passes = [layer(own).unflatten(0, (kinds, -1)) for _ in range(2)]
    return {
        f"rows pass {index} kind {kind}": maps[kind].numpy()
        for index, maps in enumerate(passes)
        for kind in range(kinds)
    }


def global_batch_results() -> Results:
    parts = {
        "normalised maps": normalise((8, 3, 4, 4)),
        "normalised features": normalise((8, 5)),
        "dropped": drop(kinds=1),
        "dropped of two kinds": drop(kinds=2),
    }
    return {f"{part}: {name}": value for part, values in parts.items() for name, value in values.items()}


def test_two_processes_find_what_one_does_with_the_whole_batch(
    in_two_processes: Callable[[str], tuple[Results, Results]],
) -> None:
    first, second = in_two_processes(__file__)
    one = global_batch_results()
    assert first.keys() == second.keys() == one.keys()
    for name, whole in one.items():
        if ": rows" in name:
            # A loss is the mean over a process's own rows, so that a row's gradient counts twice as much there.
            share = 2 if name.endswith(": rows gradient") else 8 if name.endswith("second gradient") else 1
            found = np.concatenate([first[name], second[name]]) / share
        else:
            np.testing.assert_array_equal(first[name], second[name])
            found = first[name] / (4 if "second" in name else 1)
        np.testing.assert_allclose(found, whole, rtol=2e-4, atol=1e-5, err_msg=name)


def test_normalised_maps_have_the_layers_mean_and_spread_in_each_channel() -> None:
    norm = BatchNorm(2)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, -2.0]))
    output = norm(torch.randn(50, 2, 4, 4) * 5 + 7)
    torch.testing.assert_close(output.mean((0, 2, 3)), torch.tensor([0.0, -2.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(output.std((0, 2, 3), correction=0), torch.tensor([1.0, 3.0]), atol=1e-3, rtol=0)


def test_in_evaluation_a_norm_uses_the_moments_it_has_tracked() -> None:
    norm = BatchNorm(1, eps=1e-9, momentum=1.0)
    norm(torch.tensor([[1.0], [5.0]]))
    found = norm.eval()(torch.tensor([[3.0], [3 + 8**0.5]]))
    torch.testing.assert_close(found, torch.tensor([[0.0], [1.0]]))  # mean 3, unbiased variance 8


def test_a_norm_refuses_what_is_neither_features_nor_maps() -> None:
    with pytest.raises(ValueError, match=r"not \[2, 3, 4\]"):
        BatchNorm(3)(torch.zeros(2, 3, 4))


def dropped(rate: float = RATE, step: int = 0, seed: int = 0, shape: tuple[int, ...] = (50, 8, 10, 10)) -> Tensor:
    layer = Dropout(rate)
    seed_dropout(layer, seed, step, rows=shape[0])
    return layer(torch.ones(shape))


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.999])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    output = dropped(rate)
    share = min(round(rate * 256), 255) / 256
    n = output.numel()
    assert float((output == 0).float().mean()) == pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5)
    assert float(output.max()) == pytest.approx(1 / (1 - share))
    assert abs(share - rate) < 1 / 256


def test_no_two_images_channels_or_pixels_share_a_mask() -> None:
    kept = (dropped(shape=(40, 41, 42, 43)) != 0).float()
    for axis in range(4):
        rows = kept.movedim(axis, 0).flatten(1)
        alike = torch.corrcoef(rows) - torch.eye(len(rows))
        assert alike.abs().max() < 0.05


def test_masks_come_from_seed_and_step_alone() -> None:
    torch.manual_seed(1)
    first = dropped(step=4, seed=2)
    torch.manual_seed(2)
    assert torch.equal(dropped(step=4, seed=2), first)
    assert not torch.equal(dropped(step=5, seed=2), first)
    assert not torch.equal(dropped(step=4, seed=3), first)


def test_a_second_pass_and_a_second_layer_have_masks_of_their_own() -> None:
    network = nn.Sequential(Dropout(RATE), Dropout(RATE))
    ones = torch.ones(20, 30)
    seed_dropout(network, seed=0, step=0, rows=20)
    first, second = network[0](ones), network[1](ones)
    again = network[0](ones)
    assert not torch.equal(first, second)
    assert not torch.equal(first, again)
    seed_dropout(network, seed=0, step=0, rows=20)
    assert torch.equal(network[0](ones), first)
    assert torch.equal(network[0](ones), again)


def test_a_mask_does_not_depend_on_how_maps_lie_in_memory() -> None:
    maps = torch.randn(6, 3, 5, 4)
    layer = Dropout(RATE)
    outputs = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        seed_dropout(layer, seed=0, step=0, rows=6)
        outputs.append(layer(maps.contiguous(memory_format=memory_format)))
        assert outputs[-1].is_contiguous(memory_format=memory_format)
    assert torch.equal(*outputs)


def test_dropout_is_off_in_evaluation_and_at_rate_zero() -> None:
    ones = torch.ones(4, 5)
    assert torch.equal(Dropout(RATE).eval()(ones), ones)
    assert torch.equal(Dropout(0.0)(ones), ones)


def test_unseeded_dropout_is_refused() -> None:
    with pytest.raises(RuntimeError, match="not seeded"):
        Dropout(RATE)(torch.ones(2, 2))


def test_a_projection_adds_the_labels_direction_to_the_logit() -> None:
    logit = Logit(5, classes=3).requires_grad_(False)
    assert logit.label is not None
    features, labels = torch.randn(4, 5), torch.tensor([2, 0, 1, 2])
    by_hand = [
        float(row @ logit.dense.weight[0] + logit.dense.bias[0] + row @ logit.label.weight[label])
        for row, label in zip(features, labels, strict=True)
    ]
    torch.testing.assert_close(logit(features, labels), torch.tensor(by_hand))


def test_a_label_first_moves_a_logit_as_much_as_unit_features_weigh() -> None:
    """Directions of unit length, whatever the features' number: no label drowns what the images say."""
    label = Logit(4_000, classes=50).label
    assert label is not None
    assert label.weight.norm(dim=1).tolist() == pytest.approx([1] * 50, abs=0.06)


def test_without_classes_the_logit_hears_no_label() -> None:
    logit = Logit(5, classes=0)
    features = torch.randn(4, 5)
    assert torch.equal(logit(features, torch.tensor([0, 1, 2, 3])), logit(features, None))
    assert sum(parameter.numel() for parameter in logit.parameters()) == 6


def test_logits_are_float32_whatever_the_features_are() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Logit(5, classes=3)(torch.randn(2, 5).bfloat16(), torch.tensor([0, 1])).dtype == torch.float32


def test_flattening_a_map_gives_back_what_it_was_made_of() -> None:
    features = torch.randn(3, 2 * 4 * 5)
    maps = ToMap(2, 4, 5)(features)
    assert maps.shape == (3, 2, 4, 5)
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(Flatten()(maps), features)
    assert torch.equal(Flatten()(maps.contiguous()), features)


def test_only_normalisation_mixes_samples() -> None:
    assert mixes_samples(nn.Sequential(nn.Linear(2, 2), BatchNorm(2)))
    assert not mixes_samples(nn.Sequential(nn.Linear(2, 2), Dropout(0.5)))
