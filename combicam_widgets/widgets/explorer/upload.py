"""A button that opens a file of the person's own; what is opened is never part of the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets as T

from combicam_widgets.images import MAX_FILE_BYTES
from combicam_widgets.javascript import joined
from combicam_widgets.widgets._bridge.attentive import Attentive

_HERE = Path(__file__).parent

OnFile = Callable[[bytes, str], object]


class Upload(Attentive):
    """A button that opens a file and sends it to the kernel, piece by piece.

    It also groups the menu of photos beside it, and brings its small pictures when it is opened;
    set ``pictures`` to a function that gives them, data URIs, by their titles.

    ipywidgets' `FileUpload` keeps name and content in its state, and so in every notebook that is
    saved with its widgets: a photo with the position where it was taken. It also sends a file as
    one message, and servers cut the connection at messages of more than 10 MB.

    Parameters
    ----------
    on_file : callable
        Called with the content and the name of each file that was opened. Of one that has more
        than `MAX_FILE_BYTES`, a byte more than that is all that comes.
    """

    _esm = joined(_HERE / "upload.js")

    description = T.Unicode().tag(sync=True)
    """What stands on the button."""

    hint = T.Unicode().tag(sync=True)
    """What it says under the mouse."""

    accept = T.Unicode().tag(sync=True)
    """Kinds of files that are offered, as HTML writes them: "image/*"."""

    groups: T.List[list[Any]] = T.List().tag(sync=True)
    """Headings of the menu of photos beside it, each with how many entries belong to it."""

    at_most = T.Int(MAX_FILE_BYTES + 1).tag(sync=True)
    """Number of bytes after which a file is cut."""

    def __init__(self, **values: str) -> None:
        super().__init__(**values)
        self._on_file: list[OnFile] = []
        self.pictures: Callable[[Sequence[str]], Mapping[str, str]] = lambda _titles: {}
        self._arriving: tuple[object, bytearray] = None, bytearray()
        self.on_msg(self._arrives)

    def on_file(self, callback: OnFile) -> None:
        """Call a function with the content and the name of each file that is opened."""
        self._on_file.append(callback)

    def _arrives(self, _widget: object, content: object, buffers: Sequence[memoryview]) -> None:
        """Take a piece of a file; pieces come in order, and those of an older file are dropped."""
        if isinstance(content, dict) and "pictures" in content:
            self.send({"pictures": self.pictures(content["pictures"])})
        if not isinstance(content, dict) or "file" not in content:
            return
        if content["offset"] == 0:
            self._arriving = content["file"], bytearray()
        which, bytes_ = self._arriving
        if which != content["file"] or len(bytes_) != content["offset"]:
            return
        bytes_ += buffers[0]
        if len(bytes_) >= content["size"]:
            self._arriving = None, bytearray()
            for callback in self._on_file:
                callback(bytes(bytes_), content["name"])
