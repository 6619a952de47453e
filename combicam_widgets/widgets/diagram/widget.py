"""The architecture diagram: stages as columns, one tile per layer, everything clickable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.cam import Layer, LayerMaps, minmax, upsample
from combicam_widgets.images import Photo, to_data_uri
from combicam_widgets.javascript import joined
from combicam_widgets.shown.colors import heat_image
from combicam_widgets.widgets._bridge.styles import styles
from combicam_widgets.widgets.fusion import Fusion

_HERE = Path(__file__).parent
_THUMBNAIL = 96
_CARD = 360

NEEDS_WIDGETS = (
    "<p>Nothing to click on here yet: this is an interactive widget, and the page around it cannot "
    "show widgets. If this is a notebook that you have just opened, run its cells. Otherwise "
    "install <code>ipywidgets</code> and <code>anywidget</code> where JupyterLab itself is "
    "installed (<code>pip install ipywidgets anywidget</code>), and reload the page.</p>"
)
"""What a page without Jupyter widgets shows instead, as HTML."""


def anywidget_missing() -> w.HTML:
    """Return a message that is seen only where Jupyter widgets work but `anywidget` does not.

    Diagrams bring the style that hides it; it waits five seconds for them.
    """
    message = w.HTML(
        "<style>@keyframes ccw-wait { from, to { visibility: hidden; height: 0; } } "
        ".ccw-missing { overflow: hidden; border-left: 4px solid #c62828; padding-left: 8px; "
        "animation: ccw-wait 5s; }</style>"
        "<p>Parts of this cannot be shown: install <code>anywidget</code> where JupyterLab itself "
        "is installed (<code>pip install anywidget</code>), and reload the page.</p>"
    )
    message.add_class("ccw-missing")
    return message


class Diagram(Fusion):
    """Tiles of all layers, with their maps, weights and shares.

    The page changes `weights` (with `gesture`), `preview` and `opened`, and asks for undo and redo
    (`on_history`); everything else is shown as Python sets it.
    """

    _esm = joined(_HERE / "diagram_view.js")
    _css = styles(_HERE / "diagram.css")

    stages: T.List[dict[str, Any]] = T.List().tag(sync=True)
    """Stages in forward order: ``{"label": str, "layers": [{"name", "detail", "picture",
    "silent"}]}``. See `show_maps`."""

    photo = T.Unicode().tag(sync=True)
    """Small picture of the photo, a data URI, drawn under each layer's map."""

    shares = T.Dict(value_trait=T.Float(), key_trait=T.Unicode())
    """Share of each layer in the fused map, in [0, 1]."""

    given_shares = T.Dict(value_trait=T.Float(), key_trait=T.Unicode()).tag(sync=True)
    """The shares, where the page cannot make them by itself."""

    gesture = T.Unicode().tag(sync=True)
    """Name of the gesture that `weights` last came from, set with them by the page: a drag keeps
    its name, every click has a new one. See `gesture_of`."""

    highlight = T.Unicode().tag(sync=True)
    """Layer whose tile gets a ring; empty (default): none."""

    opened = T.Unicode().tag(sync=True)
    """Layer whose card is open; empty (default): none. To be answered by `show_card`."""

    card = T.Dict().tag(sync=True)
    """What the card shows beyond the tile; see `show_card`."""

    can_undo = T.Bool(False).tag(sync=True)  # noqa: FBT003
    """Whether the button "Undo" does something."""

    can_redo = T.Bool(False).tag(sync=True)  # noqa: FBT003
    """Whether the button "Redo" does something."""

    @T.observe("shares", "maps", "rule")
    def _give_shares(self, _change: object) -> None:
        self.given_shares = {} if self.in_page else self.shares

    def show_photo(self, photo: Photo | None) -> None:
        """Put a photo, or none, under the maps."""
        self.photo = _small(photo, _THUMBNAIL)

    def show_maps(
        self,
        maps: LayerMaps,
        kinds: Mapping[str, str],
        colormap: str,
        weights: Mapping[str, float],
        *,
        hidden: bool = False,
    ) -> None:
        """Draw new tiles; a card that is open waits for a new `show_card`.

        Parameters
        ----------
        maps : LayerMaps
            Each tile shows its map stretched to its own maximum.
        kinds : mapping from layer name to str
            What kind of module each layer is, as far as that is known.
        colormap : str
        weights : mapping from layer name to float
        hidden : bool
            Whether the maps are blank since somebody is to guess first, not for want of evidence.
        """
        stages: list[dict[str, Any]] = []
        for name, x in zip(maps.names, maps.maps, strict=True):
            label = f"{x.shape[1]} x {x.shape[0]}"
            if not stages or stages[-1]["label"] != label:
                stages.append({"label": label, "layers": []})
            silent = not (hidden or x.any())
            stages[-1]["layers"].append(
                {
                    "name": name,
                    "detail": f"{kinds[name]}, map of {label}"
                    if name in kinds
                    else f"map of {label}",
                    "picture": heat_image(_enlarged(x, maps.size, _THUMBNAIL), colormap),
                    "silent": silent,
                }
            )
        with self.hold_sync():
            self.card = {}
            for name in ("preview", "highlight", "opened"):
                if getattr(self, name) not in maps.names:
                    setattr(self, name, "")
            self.stages = stages
            self.weights = dict(weights)

    def show_card(
        self,
        layer: Layer | str,
        maps: LayerMaps,
        photo: Photo | None,
        colormap: str,
        vote: str | None = None,
    ) -> None:
        """Fill the card of a layer: what it is, its map over the photo, where it points.

        Parameters
        ----------
        layer : Layer or str
            The one named by `opened`, or only its name; the card of another one is not shown.
        maps : LayerMaps
        photo : Photo or None
        colormap : str
        vote : str, optional
            Where the evidence of this layer alone points, in words; empty: nobody asks. None: still
            being asked; call again when it is known.
        """
        name = layer if isinstance(layer, str) else layer.name
        x = maps[name]
        size = f"{x.shape[1]} x {x.shape[0]}"
        facts = {"map": size}
        if not isinstance(layer, str):
            facts = {
                "kind": layer.kind,
                "map": f"{size}, from {layer.shape[0]:,} channels",
                "stride": f"{layer.stride} {'pixel' if layer.stride == 1 else 'pixels'}",
                "parameters": f"{layer.parameters:,}",
            }
        self.card = {
            "name": name,
            "facts": [list(fact) for fact in facts.items()],
            "vote": vote,
            "picture": heat_image(_enlarged(x, maps.size, _CARD), colormap),
            "photo": _small(photo, _CARD),
        }

    def gesture_of(self, weights: Mapping[str, float]) -> str | None:
        """Name the gesture on the page that led to these weights; None if none did."""
        return self.gesture if self.gesture and dict(weights) == self.weights else None

    def on_history(self, handle: Callable[[str], object]) -> None:
        """Call ``handle("undo")`` or ``handle("redo")`` when the page asks for it."""

        def hear(_widget: object, content: object, _buffers: object) -> None:
            step = content.get("do") if isinstance(content, dict) else None
            if step in {"undo", "redo"}:
                handle(step)

        self.on_msg(hear)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:  # noqa: ANN401
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle[0]["text/html"] = NEEDS_WIDGETS
        return bundle


def _small(photo: Photo | None, side: int) -> str:
    """Make a data URI of a photo, at most ``side`` pixels long; empty for none."""
    return "" if photo is None else to_data_uri(photo, format="webp", max_side=side)


def _enlarged(
    x: npt.NDArray[np.float32], size: tuple[int, int], side: int
) -> npt.NDArray[np.float32]:
    """Stretch a map to its own maximum and to the photo's shape, at most ``side`` pixels long."""
    scale = side / max(size)
    room = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return minmax(upsample(x, room, smooth=True))
