"""A training told to TensorBoard, epoch by epoch. Needs the extra `tensorboard`."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from math import isfinite
from pathlib import Path

from ..grammar.diagnostics import SpecError
from .data_errors import MissingReader
from .durable import append_durably, make_folder
from .history import Epoch

SEEN = ("dead", "saturated", "gradient", "std")
"""What is told of layers that are watched."""


class Events:
    """Called with each finished epoch, it writes a file of events into a folder.

    Parameters
    ----------
    folder: what `tensorboard --logdir` is given, or a folder in it.
    asked: how the user asked for it, for the message where TensorBoard is not installed.

    Raises SpecError when it is not, or when the folder cannot be written.
    """

    def __init__(self, folder: Path, asked: str) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            raise SpecError([MissingReader(None, asked, "tensorboard", "tensorboard")]) from None
        self._event, self._summary, self._writer = Event, Summary, RecordWriter
        make_folder(folder, "run")
        node = platform.node() or "here"
        self.path = folder / f"events.out.tfevents.{time.time_ns() // 1000}.{node}.nnspec"
        self._append(file_version="brain.Event:2")

    def __call__(self, epoch: Epoch) -> None:
        values = [
            self._summary.Value(tag=tag, simple_value=worth)
            for tag, worth in told(epoch)
            if worth is not None and isfinite(worth)
        ]
        self._append(step=epoch.number, summary=self._summary(value=values))

    def _append(self, **content: object) -> None:
        """One record: its length and its bytes, each with a checksum."""
        buffer = BytesIO()
        event = self._event(wall_time=time.time(), **content)
        self._writer(buffer).write(event.SerializeToString())
        append_durably(self.path, buffer.getvalue(), "run")


def told(epoch: Epoch) -> Iterator[tuple[str, float | None]]:
    """What TensorBoard draws, by the name of its chart; what stands before the stroke is shown
    together."""
    yield "loss/training", epoch.loss
    for name, worth in asdict(epoch.validation).items() if epoch.validation else ():
        yield ("loss/held out" if name == "loss" else f"held out/{name}"), worth
    yield "training/learning rate", epoch.lr
    yield "training/gradient", epoch.gradient_norm
    yield "training/seconds", epoch.seconds
    for layer in epoch.vitals.layers if epoch.vitals else ():
        for name in SEEN:
            yield f"{name}/{layer.layer}", getattr(layer, name)
