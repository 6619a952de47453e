"""What a model says on a map of the world, alone in a cell or in an explorer."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import ipywidgets as w

from combicam_widgets.geo import GeoPrediction
from combicam_widgets.shown.scene import Scene
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.component import Component, Wanted, changed
from combicam_widgets.widgets.held import Setting
from combicam_widgets.widgets.world.widget import World

_SCENE = (
    *("prediction", "target", "contrast", "evidence", "opposite", "truth", "guess", "rings"),
    *("votes", "hidden"),
)

OnClick = Callable[[float, float], object]


class WorldMap(Component):
    """A map of the world with what a model says of a photo; needs no internet.

    Flags stand where the whole photo, the evidence and the rest point; the most probable cells
    are outlined and listed; a cell is chosen in the list, with the mouse or the keyboard. Where
    the photo was taken (`truth`) is told to the live page only, and saved in no notebook.

    Parameters
    ----------
    prediction : GeoPrediction, optional
        Of the whole photo.
    **values
        Initial values of the other traits.

    Examples
    --------
    >>> world = WorldMap(model.predict(photo), truth=photo.position)  # doctest: +SKIP
    >>> world.on_click(lambda latitude, longitude: print(latitude, longitude))  # doctest: +SKIP
    """

    _room = MappingProxyType({"flex": "1 1 300px", "min_width": "240px"})

    prediction = Setting(
        traits.optional(traits.instance("prediction", GeoPrediction)), default_value=None
    )
    """What the model says of the whole photo; another one lets go of the answers to the old one:
    target, contrast, evidence, opposite and votes."""

    target = Setting(traits.cell("target"), default_value=None)
    """Index of the cell that is explained; None (default): the most probable one."""

    contrast = Setting(traits.cell("contrast"), default_value=None)
    """Index of the cell that the target is compared with; None (default)."""

    evidence = Setting(
        traits.optional(traits.instance("evidence", GeoPrediction)), default_value=None
    )
    """What the model says of the evidence; None: nothing is shown of it."""

    opposite = Setting(
        traits.optional(traits.instance("opposite", GeoPrediction)), default_value=None
    )
    """What the model says of the photo without it; None: nothing is shown of it."""

    votes = Setting(traits.instance("votes", GeoPrediction, several=True), default_value=())
    """One GeoPrediction per layer, from its evidence alone, in forward order; empty: none."""

    weights = Setting(traits.optional(traits.as_weights), default_value=None)
    """Weight of each layer: votes of those that are off are dimmed. None (default): all on."""

    preview = Setting(traits.text("preview"), default_value="")
    """Name of a layer whose vote stands out, if `weights` name it; "" (default): none."""

    truth = Setting(traits.position("truth"), default_value=None)
    """Where the photo was taken, (latitude, longitude) in degrees; or None."""

    guess = Setting(traits.position("guess"), default_value=None)
    """Where somebody thinks the photo was taken, (latitude, longitude) in degrees; or None."""

    rings = Setting(traits.switch("rings"), default_value=False)
    """Whether it is shown how much probability lies how near to the best cell."""

    hidden = Setting(traits.switch("hidden"), default_value=False)
    """Whether nothing but the guess is shown, and sent to the page: somebody is to guess first."""

    online_tiles = Setting(traits.switch("online_tiles"), default_value=False)
    """Whether the map fetches OpenStreetMap's tiles from the internet. Default: no."""

    height = Setting(traits.optional(traits.pixels("height")), default_value=None)
    """Height of the map in CSS pixels; None (default): as the page has room."""

    hint = Setting(traits.text("hint"), default_value="")
    """What a click on the map does, in a few words; "" (default): nothing is said."""

    def __init__(self, prediction: GeoPrediction | None = None, **values: Any) -> None:  # noqa: ANN401
        self._clicked: list[OnClick] = []
        self._pointed: list[Callable[[int | None], object]] = []
        given = {} if prediction is None else {"prediction": prediction}
        super().__init__({**given, **values})

    def on_click(self, callback: OnClick, remove: bool = False) -> None:  # noqa: FBT001, FBT002
        """Call a function with each place that a person clicks.

        Parameters
        ----------
        callback : callable
            Called with latitude and longitude in degrees, longitude in [-180, 180).
        remove : bool
            Whether to call it no longer instead.
        """
        (self._clicked.remove if remove else self._clicked.append)(callback)

    def on_vote(self, callback: Callable[[int | None], object]) -> None:
        """Call a function with the layer (its index) whose vote is pointed at; None: no more."""
        self._pointed.append(callback)

    @property
    def map(self) -> w.Widget:
        """The ipyleaflet map, for layers and controls of one's own."""
        return self._world.map

    def _made(self) -> None:
        def call(callbacks: list[Any], *given: object) -> None:
            for callback in tuple(callbacks):
                callback(*given)

        self._world = World(
            lambda latitude, longitude: call(self._clicked, latitude, longitude),
            lambda index: self._hear({"target": index, "contrast": None}),
            lambda layer: call(self._pointed, layer),
            lambda index: self._hear({"contrast": index}),
        )
        self.children = [self._world.map]
        self.add_class("ccw-world-map")

    def _settled(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        settled = dict(wanted)
        if changed(now, {**now, **wanted}, "prediction"):
            gone = dict.fromkeys(("target", "contrast", "evidence", "opposite"))
            settled = {**gone, "votes": (), **settled}
        after = {**now, **settled}
        prediction = after["prediction"]
        for name in ("target", "contrast"):
            if after[name] is not None:
                if prediction is None:
                    raise ValueError(f"Give the map a prediction before a {name}.")
                prediction.cells.check_index(after[name])
        return settled

    def _draw(self, before: Wanted, now: Wanted) -> None:
        world = self._world
        weighed = ("weights",) if now["votes"] else ()
        if changed(before, now, *_SCENE, *weighed):
            world.show(_scene(now), hidden=now["hidden"])
        world.set_click_mode(now["hint"] or None)
        names = list(now["weights"] or ())
        layer = names.index(now["preview"]) if now["preview"] in names and now["votes"] else None
        world.highlight_vote(layer)
        world.online_tiles = now["online_tiles"]
        world.resize(now["height"])

    def _aside(self) -> list[w.Widget]:
        return self._world.aside


def _scene(now: Wanted) -> Scene:
    prediction, votes, target = now["prediction"], now["votes"], now["target"]
    if now["hidden"]:
        return Scene(guess=now["guess"])
    weights = tuple((now["weights"] or {}).values())
    if prediction is not None and target is None:
        target = prediction.best.index
    return Scene(
        prediction=prediction,
        target=-1 if target is None else target,
        evidence=now["evidence"],
        opposite=now["opposite"],
        contrast=now["contrast"],
        truth=now["truth"],
        guess=now["guess"],
        rings=prediction if now["rings"] else None,
        votes=votes,
        numbers=tuple(str(i + 1) for i in range(len(votes))),
        weights=weights if len(weights) == len(votes) else (1.0,) * len(votes),
    )
