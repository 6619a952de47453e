"""Several widgets that follow each other, and that stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as w

from combicam_widgets.widgets.diagram.component import LayerDiagram
from combicam_widgets.widgets.fusing import RECIPE
from combicam_widgets.widgets.heat.component import HeatOverlay
from combicam_widgets.widgets.held import Result

_ALSO = {"image": "photo"}
"""What has another name in an explorer."""

_SHARED = (
    *("photo", "maps", "weights", "rule", "normalize", "colormap", "preview", "opacity", "keep"),
    *("outline", "box", "hidden", "prediction", "target", "contrast", "evidence", "opposite"),
    *("votes", "guess", "truth"),
)
"""Traits that mean the same in every widget that has them."""


class Link:
    """Widgets that follow each other; see `link`.

    Attributes
    ----------
    names : tuple of str
        The traits that at least two of them share.
    """

    def __init__(self, widgets: Sequence[w.Widget], names: Sequence[str]) -> None:
        self._widgets = tuple(widgets)
        self._traits = {id(widget): _named(widget, names) for widget in self._widgets}
        counts = [sum(name in of for of in self._traits.values()) for name in names]
        self.names = tuple(n for n, count in zip(names, counts, strict=True) if count > 1)
        self._painting: list[HeatOverlay] = []

    def begin(self) -> None:
        """Begin to follow: first the others take over what the first one has."""
        first, *_ = self._widgets
        self._pass_on(first)
        for widget in self._widgets:
            widget.observe(self._hear, self._own(widget))
        diagrams = [widget for widget in self._widgets if isinstance(widget, LayerDiagram)]
        if diagrams and {"photo", *RECIPE, "preview"} <= {*self.names}:
            self._painting = [x for x in self._widgets if isinstance(x, HeatOverlay)]
            for heat in self._painting:
                heat.paint_what(diagrams[0].fusion)

    def unlink(self) -> None:
        """Let each widget go its own way from now on."""
        for widget in self._widgets:
            widget.unobserve(self._hear, self._own(widget))
        for heat in self._painting:
            if heat.comm is not None:
                heat.paint_what(None)

    def _own(self, widget: w.Widget) -> list[str]:
        """Name the traits that are shared as this widget names them."""
        return [own for name, own in self._traits[id(widget)].items() if name in self.names]

    def _hear(self, change: Any) -> None:  # noqa: ANN401
        # The others pass it on in their turn: what all have already changes nothing.
        self._pass_on(change["owner"])

    def _pass_on(self, source: w.Widget) -> None:
        """Give the others, in one change each, what a widget has."""
        mine = self._traits[id(source)]
        for other in self._widgets:
            if other is source:
                continue
            theirs = self._traits[id(other)]
            both = [name for name in self.names if name in mine and name in theirs]
            with other.hold_trait_notifications():
                for name in both:
                    value = getattr(source, mine[name])
                    if name == "weights" and "maps" not in both:
                        value = _fitting(value, other)
                    if not _follows(other, theirs[name]):
                        setattr(other, theirs[name], value)


def link(*widgets: w.Widget, names: Sequence[str] | None = None) -> Link:
    """Let widgets follow each other: a trait that is set in one is set in all that have it.

    At first the others take over what the first one has. Several traits that change together
    (``widget.update(maps=…, weights=…)``) are passed on together. A heatmap follows the tiles of
    a diagram that is linked with it also while the kernel is busy.

    Parameters
    ----------
    *widgets : two or more
        Diagrams, overlays, maps, trust panels and explorers.
    names : sequence of str, optional
        Which traits; default: all that any two share, such as photo, maps, weights and rule.

    Returns
    -------
    Link
        Its ``unlink()`` ends this.

    Raises
    ------
    ValueError
        They share none of these traits.
    traitlets.TraitError
        One of them cannot take over what the first one has, such as weights of other layers.

    Examples
    --------
    >>> link(diagram, heat, trust)  # doctest: +SKIP
    """
    if len(widgets) < 2:
        raise ValueError("Give at least two widgets to link.")
    made = Link(widgets, _SHARED if names is None else tuple(names))
    missing = [name for name in names or () if name not in made.names]
    if missing or not made.names:
        kinds = ", ".join(type(widget).__name__ for widget in widgets)
        raise ValueError(f"No two of {kinds} have the trait {(missing or ['any'])[0]!r} in common.")
    made.begin()
    return made


def compose(widgets: Sequence[w.Widget], sync: str | Sequence[str] | None = "weights") -> w.HBox:
    """Put widgets side by side, two photos, models or methods, and let them follow each other.

    Parameters
    ----------
    widgets : sequence of widgets
        Explorers or components.
    sync : str, sequence of str or None
        The traits in which they follow each other, see `link`; None: none.

    Returns
    -------
    ipywidgets.HBox
        Below each other where there is too little room.

    Examples
    --------
    >>> compose([Explorer(image="koala"), Explorer(image="jaguar")])  # doctest: +SKIP
    """
    if sync is not None:
        link(*widgets, names=(sync,) if isinstance(sync, str) else sync)
    rooms = [
        w.VBox([widget], layout=w.Layout(flex="1 1 400px", min_width="0")) for widget in widgets
    ]
    return w.HBox(rooms, layout=w.Layout(flex_flow="row wrap"))


def _named(widget: w.Widget, names: Sequence[str]) -> dict[str, str]:
    """Find shared traits in a widget: by the name they share, the name they have there."""
    own = {_ALSO.get(name, name): name for name in widget.trait_names()}
    return {name: own[name] for name in names if name in own}


def _follows(widget: w.Widget, name: str) -> bool:
    """Whether a trait follows from others there, and cannot be set."""
    trait = widget.traits()[name]
    return isinstance(trait, Result) or bool(trait.read_only)


def _fitting(weights: Any, other: w.Widget) -> Any:  # noqa: ANN401
    """Fit weights to a widget with other layers: those that both have follow, the others stay."""
    theirs = other.weights
    if weights is None or theirs is None or set(weights) == set(theirs):
        return weights
    common = {name: weight for name, weight in weights.items() if name in theirs}
    if not common:
        raise ValueError("Weights cannot be linked: these widgets have no layer in common.")
    return {**theirs, **common}
