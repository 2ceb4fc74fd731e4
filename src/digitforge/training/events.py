"""TensorBoard's event file, written in place by whoever tells.

A writer with a thread of its own loses what a kill finds queued, and dies beside the run, trace and all, where the disk
is full.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

_VERSION = "brain.Event:2"  # what TensorBoard looks for at the beginning of a file


class EventFile:
    """A new file of events in a folder, which is made. Each method raises OSError for what the disk does not take."""

    def __init__(self, folder: Path, since: int) -> None:
        """since: the step from which on TensorBoard is to forget what earlier files tell."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        now = time.time_ns()
        # TensorBoard reads the files of a folder by their names, which hence begin with their time.
        name = f"events.out.tfevents.{now // 10**9:010d}.{now % 10**9:09d}.{platform.node()}.{os.getpid()}"
        self._stream = (folder / name).open("xb")
        self._records = RecordWriter(self._stream)
        self._add(since, file_version=_VERSION)
        self._add(since, session_log=SessionLog(status=SessionLog.START))

    def add(self, summary: Any, step: int) -> None:
        """Tell a summary, as torch.utils.tensorboard.summary makes them."""
        self._add(step, summary=summary)

    def flush(self) -> None:
        """Have the system take what was told so far, so that a kill loses none of it."""
        self._stream.flush()

    def close(self) -> None:
        """Flush, and let the file go."""
        self._stream.close()

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(wall_time=time.time(), step=step, **content).SerializeToString())
