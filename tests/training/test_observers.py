"""Observers: statistics, sheets and snapshots land in the run folder, and TensorBoard shows just the same."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from digitforge.runs import RunFolder
from digitforge.training.diagnosis import Finding
from digitforge.training.observers import Observer, Recorder, TensorBoard, Tick, flat_scalars
from digitforge.training.plan import make_plan
from tiny_runs import tiny_data, tiny_recipe

PLAN = make_plan(tiny_recipe(), tiny_data())
GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], 2)


def line(images: int, loss: float = 0.5) -> dict[str, object]:
    return {
        "images": images,
        "epoch": images / 200,
        "loss": {"generator": loss, "discriminator": 2 * loss},
        "accuracy": {"fake": 0.75, "fake_n": 20},
        "clock": {"seconds": 1.5, "time": "2024-01-01T00:00:00+00:00"},
    }


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.create(PLAN.recipe)
    return made


def tell(observer: Observer, folder: RunFolder, *ticks: Tick, since: int = 0) -> None:
    observer.started(PLAN, folder, since)
    for tick in ticks:
        observer.stepped(tick.images)
        observer.ticked(tick)
    observer.ended()


def shown(folder: RunFolder) -> EventAccumulator:
    events = EventAccumulator(str(folder.tensorboard), size_guidance={"scalars": 0, "images": 0})
    return events.Reload()


def scalars(folder: RunFolder, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in shown(folder).Scalars(name)]


def test_a_tick_leaves_its_line_its_sheet_and_its_weights(folder: RunFolder) -> None:
    tell(Recorder(), folder, Tick(0, sheet=GREY, weights=b"first"), Tick(16, line(16)), Tick(32, line(32), sheet=GREY))
    assert folder.read_stats() == [line(16), line(32)]
    assert folder.samples() == [folder.sample(0), folder.sample(32)]
    np.testing.assert_array_equal(np.asarray(Image.open(folder.sample(32))), GREY)
    assert folder.snapshot(0).read_bytes() == b"first"
    assert not folder.snapshot(32).exists()


def test_what_pretraining_tells_apart_is_kept_and_shown(folder: RunFolder) -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(6, 8)
    for observer in (Recorder(), TensorBoard()):
        tell(observer, folder, Tick(0, pretraining=picture))
    assert np.array_equal(np.asarray(Image.open(folder.pretraining)), picture)
    assert shown(folder).Tags()["images"] == ["pretraining"]


def test_tensorboard_shows_every_number_of_a_line_at_the_images_seen(folder: RunFolder) -> None:
    tell(TensorBoard(), folder, Tick(16, line(16)), Tick(32, line(32, 0.25)))
    assert set(shown(folder).Tags()["scalars"]) == {
        "loss/generator",
        "loss/discriminator",
        "accuracy/fake",
        "accuracy/fake_n",
        "clock/seconds",
    }
    assert scalars(folder, "loss/generator") == [(16, 0.5), (32, 0.25)]
    assert scalars(folder, "loss/discriminator") == [(16, 1.0), (32, 0.5)]
    assert scalars(folder, "accuracy/fake_n") == [(16, 20), (32, 20)]


@pytest.mark.parametrize("sheet", [GREY, COLOUR], ids=["grey", "colour"])
def test_tensorboard_shows_a_sheet_pixel_for_pixel(folder: RunFolder, sheet: np.ndarray) -> None:
    tell(TensorBoard(), folder, Tick(0, sheet=sheet), Tick(48, sheet=255 - sheet))
    first, second = shown(folder).Images("samples")
    assert (first.step, second.step) == (0, 48)
    for event, expected in ((first, sheet), (second, 255 - sheet)):
        found = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB"))
        np.testing.assert_array_equal(found, expected if expected.ndim == 3 else np.stack([expected] * 3, 2))


@pytest.mark.parametrize("since", [0, 32])
def test_what_is_told_again_after_a_resume_is_shown_once(folder: RunFolder, since: int) -> None:
    counts = (0, 16, 32, 48, 64)
    tell(TensorBoard(), folder, *[Tick(count, line(count, 0.5), GREY) for count in counts])
    again = [count for count in (*counts, 80) if count > since or since == 0]
    tell(TensorBoard(), folder, *[Tick(count, line(count, 0.25), GREY) for count in again], since=since)
    expected = [(count, 0.25 if count in again else 0.5) for count in (*counts, 80)]
    assert scalars(folder, "loss/generator") == expected
    assert [event.step for event in shown(folder).Images("samples")] == [*counts, 80]


def test_tensorboard_shows_what_goes_wrong_as_text(folder: RunFolder) -> None:
    findings = (Finding("collapse", "Only 8 is drawn."), Finding("divergence", "It runs away."))
    sick = line(32) | {"diagnosis": [finding.sentence for finding in findings]}
    tell(TensorBoard(), folder, Tick(16, line(16), findings=()), Tick(32, sick, findings=findings))
    events = shown(folder)
    texts = {
        tag: [(event.step, event.tensor_proto.string_val[0].decode()) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }
    assert texts == {
        "diagnosis/collapse/text_summary": [(32, "Only 8 is drawn.")],
        "diagnosis/divergence/text_summary": [(32, "It runs away.")],
    }


def test_a_line_flattens_to_its_numbers_by_section() -> None:
    assert flat_scalars({"images": 3, "loss": {"generator": 1}, "clock": {"time": "noon", "seconds": 2.5}}) == [
        ("loss/generator", 1.0),
        ("clock/seconds", 2.5),
    ]
