"""The trust panel: how much of the answer a heatmap carries, beside what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets import cam
from combicam_widgets.cam import LayerMaps
from combicam_widgets.cam.fusion import Normalization
from combicam_widgets.cam.maps import weight_vector
from combicam_widgets.evaluation import knowing_nothing
from combicam_widgets.evaluation.asking import Progress
from combicam_widgets.evaluation.explaining import rank_correlation
from combicam_widgets.images import Photo, to_data_uri
from combicam_widgets.javascript import joined
from combicam_widgets.models import GeoModel
from combicam_widgets.shown.colors import COLORMAPS, heat_image
from combicam_widgets.shown.words import NO_EVIDENCE
from combicam_widgets.widgets import traits
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets._bridge.spelling import Spelled, check_options
from combicam_widgets.widgets.background import Background, Worker, on_page
from combicam_widgets.widgets.trust.scores import (
    Scores,
    Yardstick,
    chart,
    marks,
    measured,
    number,
    yardstick,
)

_HERE = Path(__file__).parent
_PORTRAIT = 240
_LAST = 0.4
"""Seconds after the last change before anything is measured: what the person waits for is first."""

_FIRST = 1.5
"""The same for another photo or target, when the page has more to draw."""

_LAST_OF_ALL = 10
"""Urgency of what nobody waits for."""

_SETTINGS = ("weights", "rule", "normalize", "colormap")
"""What belongs to a heatmap."""

_ALIKE = 0.5
"""Rank correlation from which two heatmaps look alike."""

Heatmap = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fused:
    """A heatmap as it is made: what the panel measures.

    Attributes
    ----------
    model : GeoModel
    photo : Photo
    maps : LayerMaps
        Of this photo.
    weights : (L,) float32 array
    rule : str
    normalize : {None, "minmax", "max"}
    """

    model: GeoModel
    photo: Photo
    maps: LayerMaps
    weights: npt.NDArray[np.float32]
    rule: str
    normalize: Normalization

    def heatmap(self, of: LayerMaps, size: tuple[int, int]) -> Heatmap:
        """Fuse maps (those of a network that knows nothing, perhaps) in this way."""
        return of.fuse(self.weights.tolist(), self.rule, self.normalize, size)

    def same_question(self, other: Fused) -> bool:
        """Tell whether both are about the same photo and target."""
        mine, others = self.maps, other.maps
        return (
            self.model is other.model
            and self.photo is other.photo
            and (mine.target, mine.contrast) == (others.target, others.contrast)
        )


class _OnDemand(T.Instance[Scores | None]):
    """Scores that are measured when they are read, if nobody has begun to measure them."""

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ANN401
        obj.measure_what_is_open()
        return super().get(obj, cls)


class TrustPanel(Spelled, Attentive):
    """Can this heatmap be believed? Its worth, beside that of Combi-CAM and of random maps.

    Measured beside the page, some tenths of a second after the last change; the latest wins. On
    demand it shows the curves behind the number, and the heatmap of a network that knows nothing.
    In a plain script nothing is measured until `scores` is read.

    Parameters
    ----------
    model : GeoModel
    photo : Photo
    maps : LayerMaps
        Of this photo by this model. Without the three, the panel is empty until `show`.
    worker : Worker, optional
        Who measures; default: a thread of its own.
    **values
        Initial values of the traits.

    Examples
    --------
    >>> TrustPanel(model, photo, model.explain(photo))  # doctest: +SKIP
    """

    _esm = joined(_HERE / "trust.js")
    _css = (_HERE / "trust.css").read_text(encoding="utf-8")

    model = T.Instance(GeoModel, allow_none=True)
    """The geo model that is asked."""

    photo = T.Instance(Photo, allow_none=True)
    """The photo that the maps are of."""

    maps = T.Instance(LayerMaps, allow_none=True)
    """The layer maps whose fusion is measured; see `show` for those of another photo."""

    weights = T.Any(None, allow_none=True)
    """Weight of each layer, >= 0; layers that are not named are off. None (default): all 1."""

    rule = traits.Coerced(traits.one_of("rule", cam.rule_names), default_value="sum")
    """The fusion rule, one of `cam.rule_names`; ``sum`` (default) is Combi-CAM."""

    normalize = traits.Coerced(
        traits.one_of("normalize", lambda: cam.NORMALIZATIONS), default_value=None
    )
    """What is done to each map before the rule: None (default), ``minmax`` or ``max``."""

    colormap = traits.Coerced(
        traits.one_of("colormap", lambda: COLORMAPS), default_value=COLORMAPS[0]
    )
    """Colour map of the heat."""

    scores = _OnDemand(Scores, allow_none=True, read_only=True)
    """What was measured of the present fusion; None while that goes on, or without any heat."""

    measured = T.Bool(False).tag(sync=True)  # noqa: FBT003
    """Whether the curves behind the number are shown."""

    untrained = T.Bool(False).tag(sync=True)  # noqa: FBT003
    """Whether the heatmap of a network that knows nothing is shown."""

    error = T.Unicode(read_only=True)
    """Why nothing could be measured, in words; empty if nothing went wrong."""

    verdict = T.Unicode(read_only=True).tag(sync=True)
    """The line in words."""

    marks: T.List[dict[str, object]] = T.List(read_only=True).tag(sync=True)
    """The numbers on a scale; see `scores.marks`."""

    chart = T.Dict(read_only=True).tag(sync=True)
    """The curves, while they are asked for; see `scores.chart`."""

    comparison = T.Dict(read_only=True).tag(sync=True)
    """Two portraits, while they are asked for: this network, and one that knows nothing."""

    seen = T.Bool(False).tag(sync=True)  # noqa: FBT003
    """Whether a page shows the panel, which the page says; nothing is measured before."""

    asking = T.Bool(False, read_only=True).tag(sync=True)  # noqa: FBT003
    """Whether something is being measured: the numbers are those of before."""

    def __init__(
        self,
        model: GeoModel | None = None,
        photo: Photo | None = None,
        maps: LayerMaps | None = None,
        worker: Worker | None = None,
        **values: Any,  # noqa: ANN401
    ) -> None:
        known = {*_SETTINGS, "measured", "untrained", "layout", "model", "photo", "maps", "worker"}
        check_options(TrustPanel, values, known)
        if (model is None) + (photo is None) + (maps is None) not in {0, 3}:
            raise TypeError("TrustPanel needs model, photo and maps: give all three, or none yet.")
        _check_kinds(model, photo)
        self._measuring, self._drawing = (Background(worker, _LAST_OF_ALL + i) for i in (0, 1))
        self._fused: Fused | None = None
        self._open = False
        self._yardstick: Yardstick | None = None
        super().__init__(model=model, photo=photo, maps=maps, **values)
        self._renew()
        asked = ("model", "photo", "maps", "weights", "rule", "normalize")
        self.observe(lambda _change: self._renew(), asked)
        self.observe(lambda _change: self._begin(), "seen")
        self.observe(lambda _change: self._draw(), ("measured", "untrained", "colormap"))

    def show(self, model: GeoModel, photo: Photo, maps: LayerMaps, **values: Any) -> None:  # noqa: ANN401
        """Measure another photo, or other settings, in one step.

        Parameters
        ----------
        model, photo, maps
            As when the panel is made.
        **values
            New values of `weights`, `rule`, `normalize` and `colormap`.
        """
        check_options(TrustPanel, values, _SETTINGS)
        _check_kinds(model, photo)
        with self.hold_trait_notifications():
            self.model, self.photo = model, photo
            if self.maps is None or set(maps.names) != set(self.maps.names):
                self.weights = None
            self.maps = maps
            for name, value in values.items():
                setattr(self, name, value)

    def clear(self) -> None:
        """Show nothing, measure nothing, until `show`: somebody is to guess first."""
        self._measuring.cancel()
        self._drawing.cancel()
        self._fused = None
        self._settle(None, "")

    def close(self) -> None:
        """Stop measuring, and take the panel off the page."""
        if self.comm is not None:  # else it was never made
            self._measuring.close()
            self._drawing.close()
            super().close()

    @T.validate("weights")
    def _known_weights(self, proposal: Any) -> Mapping[str, float] | None:  # noqa: ANN401
        try:
            vector = weight_vector(() if self.maps is None else self.maps.names, proposal["value"])
        except (TypeError, ValueError) as error:
            raise T.TraitError(str(error)) from error
        if not vector.any():
            raise T.TraitError("At least one layer must stay on.")
        value: Mapping[str, float] | None = proposal["value"]
        return value

    def measure_what_is_open(self) -> None:
        """Measure the present fusion in place, if that was not done yet."""
        if self._open and self._fused is not None:
            self._measuring.cancel()
            try:
                self._done(_scored(self._fused, self._yardstick))
            except (TypeError, ValueError, RuntimeError) as error:
                self._failed(error)

    def _renew(self) -> None:
        """Measure another fusion, beside the page if there is one."""
        if self.model is None or self.photo is None or self.maps is None:
            return
        weights = weight_vector(self.maps.names, self.weights)
        fused = Fused(self.model, self.photo, self.maps, weights, self.rule, self.normalize)
        if self._fused is None or not fused.same_question(self._fused):
            self._yardstick = None
        self._fused, self._open = fused, True
        with self.hold_sync():
            self.set_trait("scores", None)
            self.set_trait("asking", value=True)
            if not self.marks:
                self.set_trait("verdict", "How much of the answer does this heatmap carry?")
        self._begin()

    def _begin(self) -> None:
        """Measure what is open beside the page, once somebody can see the panel there."""
        fused, known = self._fused, self._yardstick
        if not self.seen:
            self._measuring.cancel()
        if self._open and fused is not None and self.seen and on_page():
            delay = _LAST if known else _FIRST
            self._measuring.run(
                lambda report: _scored(fused, known, report), self._done, self._failed, delay=delay
            )

    def _done(self, result: tuple[Yardstick, Scores | None]) -> None:
        self._yardstick, scores = result
        self._settle(scores, NO_EVIDENCE if scores is None else scores.sentence())

    def _failed(self, error: BaseException) -> None:
        self._settle(None, f"This cannot be measured: {error}", error=str(error))

    def _settle(self, scores: Scores | None, verdict: str, error: str = "") -> None:
        self._open = False
        with self.hold_sync():
            self.set_trait("scores", scores)
            self.set_trait("marks", [] if scores is None else marks(scores))
            self.set_trait("verdict", verdict)
            self.set_trait("error", error)
            self.set_trait("asking", value=False)
            self._draw()

    def _draw(self) -> None:
        """Draw what is asked for beyond the numbers."""
        scores, fused = self.scores, self._fused
        curves = {} if scores is None or not self.measured else chart(scores)
        self.set_trait("chart", curves)
        if not self.untrained or fused is None or scores is None:
            self._drawing.cancel()
            self.set_trait("comparison", {})
            return
        colormap = self.colormap
        self._drawing.run(
            lambda _report: comparison(fused, colormap),
            lambda drawn: self.set_trait("comparison", drawn),
            lambda error: self.set_trait("comparison", {"portraits": [], "words": str(error)}),
        )


def _scored(
    fused: Fused, known: Yardstick | None, progress: Progress | None = None
) -> tuple[Yardstick, Scores | None]:
    """Measure a fusion, and first what it is compared with, unless that is known."""
    compared = known or yardstick(fused.model, fused.photo, fused.maps, progress)
    size = (compared.question.batch.shape[2], compared.question.batch.shape[3])
    heatmap = fused.heatmap(fused.maps, size)
    if not heatmap.any():
        return compared, None
    return compared, Scores(measured(compared.question, [heatmap], progress), compared)


def comparison(fused: Fused, colormap: str) -> dict[str, object]:
    """Draw a heatmap beside that of the same network with its weights drawn anew."""
    size = _small(fused.photo)
    nothing = knowing_nothing(fused.model).explain(fused.photo, fused.maps.target)
    heatmaps = {
        "this network": fused.heatmap(fused.maps, size),
        "its weights re-drawn: it knows nothing": fused.heatmap(
            nothing.with_method(fused.maps.method), size
        ),
    }
    photo = to_data_uri(fused.photo, format="webp", max_side=_PORTRAIT)
    alike = rank_correlation(*heatmaps.values())
    return {
        "portraits": [
            {"label": label, "photo": photo, "heat": heat_image(heatmap, colormap)}
            for label, heatmap in heatmaps.items()
        ],
        "words": (
            f"Rank correlation of the two (1: the same, 0: nothing in common): {number(alike)}. "
            + (
                "They are alike: this heatmap shows the photo's edges and colours more than what "
                "the network has learned."
                if alike > _ALIKE
                else "They differ: the heatmap depends on what the network has learned, as it "
                "should. A picture can please the eye and still come from a network like this."
            )
        ),
    }


def _small(photo: Photo) -> tuple[int, int]:
    scale = min(1.0, _PORTRAIT / max(photo.height, photo.width))
    return max(1, round(photo.height * scale)), max(1, round(photo.width * scale))


def _check_kinds(model: object, photo: object) -> None:
    """Refuse what only looks like a model or a photo, before it fails where nobody looks."""
    if not isinstance(model, GeoModel | None):
        raise TypeError(f"model must be a GeoModel, not {model!r:.60}: load_model() gives one.")
    if not isinstance(photo, Photo | None):
        raise TypeError(f"photo must be a Photo, not {photo!r:.60}: load_image() gives one.")
