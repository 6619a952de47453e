"""A geo model: a network and what is needed to ask it where a photo was taken, and why."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from typing import Any, TypeVar
from weakref import ref

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from combicam_widgets import cam
from combicam_widgets.cam.passes import Output, names_of, on_device_of, picked, shaped_scores
from combicam_widgets.cam.replicas import Replica
from combicam_widgets.cam.scores import ScoreOf
from combicam_widgets.cam.shortage import is_out_of_memory
from combicam_widgets.geo import CellGrid, GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.models.fixed_size import (
    MISFITS,
    MisfitError,
    is_about_shapes,
    refusal,
    size_that_fits,
)
from combicam_widgets.models.outputs import OUTPUTS, WRAPPED, AsLogits, check_outputs, doubt
from combicam_widgets.models.transforms import Transform, WholePhoto, checked_view, keeps_place
from combicam_widgets.notices import warn

Answer = TypeVar("Answer")

_AT_ONCE, _AT_ONCE_ON_CPU = 32, 4
"""Masked photos in a batch: on a CPU more are no faster, and make other passes wait longer."""


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where something lies in memory, as most objects say it of themselves."""

_LARGE = 100_000_000
"""Parameters of a network above which no pass is made but for somebody's photo."""


class GeoModel:
    """Network + cell grid + image transform + the layers worth explaining.

    A subclass whose photos are pieces of the Earth seen from above, as `combicam_widgets.tile`
    makes them, sets ``from_above = True``: then a click on the explorer's map looks there. One
    whose network is known to fit its cells can set ``looked_at_when_made = False``, and is made
    without a pass.

    Parameters
    ----------
    network : nn.Module
        Maps a batch (N, K, h, w) to one number per cell, (N, C); see ``outputs``. It is never
        changed.
    cells : CellGrid
        The C cells, in class order.
    transform : callable, optional
        From an RGB PIL image to a float tensor (K, h, w), with the K channels that the network
        takes: one for a network of grey photos. It may scale the photo and change its
        proportions, since the heatmap is stretched over the whole photo again; a crop or a border
        shifts the heatmap, about which a warning is given once. Default: ``WholePhoto(224)`` or,
        if the network turns out to take one size only, the `WholePhoto` of that size, about which
        a warning is given once, too.
    layers : str or sequence of str
        The layers to explain: a granularity of `combicam_widgets.cam.architecture` ("stage",
        "block", "convolution"; default "block"), or modules of the network, or their names.
    name : str
        A short name for people.
    description : str
        One line for people.
    outputs : str
        What the network gives: ``logits`` (default), ``log_probabilities``, ``probabilities`` (a
        network that ends in a softmax), ``sigmoid`` (one that ends in a sigmoid: probabilities
        of each cell alone, which need not add up to 1) or ``similarities`` (one that compares,
        as CLIP does: cosines in [-1, 1], which become logits by ``temperature``). Checked when it
        is first asked, never guessed; outputs that fit but look like others, such as "logits" that
        all lie between 0 and 1, are warned about once.
        Predictions add up to 1, for one cell is right: those of a sigmoid are its odds
        p / (1 - p) over their sum, the probabilities on condition that exactly one cell is right.
        Better leave the softmax or the sigmoid off, if you can: a probability that rounds to 1
        has no gradient.
    temperature : float, optional
        What similarities are divided by before the softmax, > 0, as in training: 1 / 100 for most
        CLIP models. Needed for ``outputs="similarities"``, and for nothing else.
    output : str, int or callable, optional
        Which of several outputs of the network is meant: the key or attribute, the position, or a
        function of what the network returns; see `combicam_widgets.cam.explain`.

    Attributes
    ----------
    network : nn.Module
        The network whose outputs are logits: the one given or, if that gives probabilities or
        several outputs, one around it that makes logits of them and has the same layers.

    Raises
    ------
    TypeError
        An argument of the wrong kind. When the model is first asked: the transform gives no
        floating tensor, or the network gives several outputs.
    ValueError
        Unknown ``outputs``; a layer that is no module of the network; the network gives another
        number of classes than there are cells, or no class scores: one pass with a grey photo
        tells, unless the network is large or does not take it. When the model is first
        asked: the transform gives another shape, NaN, or what the network does not take; the
        network's outputs contradict ``outputs``, have another shape, are not finite, or are not
        as many as the cells. The message says what to do.

    Examples
    --------
    >>> cells = CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])  # doctest: +SKIP
    >>> model = GeoModel(network, cells, outputs="probabilities")  # doctest: +SKIP
    """

    from_above = False
    looked_at_when_made = True

    def __init__(
        self,
        network: nn.Module,
        cells: CellGrid,
        transform: Transform | None = None,
        layers: str | nn.Module | Iterable[str | nn.Module] = "block",
        name: str = "model",
        description: str = "",
        outputs: str = "logits",
        temperature: float | None = None,
        output: Output | None = None,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module, not {type(network).__name__}.")
        if not isinstance(cells, CellGrid):
            raise TypeError(f"cells must be a CellGrid, not {type(cells).__name__}.")
        if transform is not None and not callable(transform):
            raise TypeError("transform must be callable: PIL image -> tensor (channels, h, w).")
        for argument, text in (("name", name), ("description", description)):
            if not isinstance(text, str):
                raise TypeError(f"{argument} must be a str, not {text!r}.")
        if outputs not in OUTPUTS:
            raise ValueError(f"outputs must be one of {', '.join(OUTPUTS)}, not {outputs!r}.")
        scale = _checked_temperature(temperature, outputs)
        as_it_is = outputs not in WRAPPED and output is None
        self.network = network if as_it_is else AsLogits(network, outputs, scale, output)
        self.outputs = outputs
        self.temperature = temperature
        self.cells = cells
        self._assumed = WholePhoto()
        self.transform = self._assumed if transform is None else transform
        self._has_own_transform = transform is not None
        self.name = name
        self.description = description
        self._layers = layers if isinstance(layers, str) else tuple(names_of(network, layers))
        self._last_view: _View | None = None
        self._shapes_taken: set[tuple[int, ...]] = set()
        self._sizes_tried: set[tuple[int, int]] = set()
        self._warned: set[str] = set()
        self._asked = False
        self._doubtful = True
        if self.looked_at_when_made:
            self._look(network, output)

    @cached_property
    def architecture(self) -> cam.Architecture:
        """Stages and layers, with the shapes they have for a square photo."""
        square, last = _grey(), self._last_view

        def find(batch: Tensor) -> cam.Architecture:
            return cam.architecture(self.network, batch, self._layers)

        try:
            return self._fitted(partial(self._transformed, square), find)
        except MisfitError:
            if last is None:
                raise
            return find(last.batch)  # the transform leaves photos as large as they are

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are explained, in forward order."""
        return self.architecture.names

    def predict(self, photo: Photo) -> GeoPrediction:
        """Say where the photo may have been taken: one forward pass."""
        return self._fitted(partial(self._view, photo), self._predictions)[0]

    def view(self, photo: Photo) -> Tensor:
        """Return what the network sees of a photo: its transform, as a batch of one.

        Returns
        -------
        Tensor, shape (1, K, h, w)
            A copy, which may be changed; masked copies of it are what `probabilities` is for.

        Raises
        ------
        TypeError, ValueError
            It is no photo, or the transform gives something else than `GeoModel` says.
        """
        if self.transform is self._assumed:
            self._fitted(partial(self._view, photo), self._check_size)
        return self._view(photo).clone()

    def probabilities(self, batch: Tensor) -> npt.NDArray[np.float32]:
        """Ask the network about a batch of views, such as masked photos: one forward pass.

        Parameters
        ----------
        batch : Tensor, shape (N, K, h, w) or (K, h, w)
            Like `view`: transformed as the network wants it, on any device.

        Returns
        -------
        (N, C) float32 array
            The probability of each cell; rows add up to 1.

        Raises
        ------
        TypeError, ValueError
            The batch is no finite floating tensor of that shape, or the network's outputs are
            refused, as `GeoModel` says.

        Examples
        --------
        >>> view = model.view(photo)  # doctest: +SKIP
        >>> dark = torch.cat([view * 0, view])  # doctest: +SKIP
        >>> model.probabilities(dark)[:, model.predict(photo).best.index]  # doctest: +SKIP
        """
        scores = cam.class_scores(self.network, batch)
        self._check_classes(scores.shape[1])
        self._check_outputs(scores)
        self._asked = True
        # First to the CPU: not every device has float64 (Apple's MPS).
        probabilities: npt.NDArray[np.float32] = scores.cpu().double().softmax(1).float().numpy()
        return probabilities

    def explain(
        self,
        photo: Photo,
        target: int | None = None,
        method: str | None = None,
        score: str | ScoreOf = "log_probability",
        contrast: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        *,
        methods: str | Iterable[str] | None = None,
    ) -> cam.LayerMaps:
        """Compute the maps of all layers: one forward and one backward pass.

        Only the method ``scorecam`` takes longer: one forward pass for each channel. A network
        that was never asked before is checked first: one forward pass more, once.

        Parameters
        ----------
        photo : Photo
        target : int, optional
            Index of the cell to explain; default: the most probable one.
        method, score, methods
            See `combicam_widgets.cam.explain`: the CAM method in view, what is differentiated, and
            which methods are computed, by default all that one pass can give.
        contrast : int, optional
            Index of another cell: explain why here *rather than* there (not for ``scorecam``).
        progress : callable, optional
            Called with (done, total) passes by ``scorecam``; what it raises stops the work.

        Returns
        -------
        LayerMaps
            Its heatmaps have the size of the photo.
        """
        for cell in (target, contrast):
            if cell is not None:
                self.cells.check_index(cell)
        slow = method in cam.SLOW_METHODS
        if slow and contrast is not None:
            raise ValueError(f"The method {method!r} knows no contrast; choose another one.")
        quick = None if slow else method
        view = partial(self._view, photo)
        if not self._asked:
            self._fitted(view, self._predictions)
        view()
        layers = self.layers

        def explain(batch: Tensor) -> cam.LayerMaps:
            size = photo.height, photo.width
            maps = cam.explain(
                self.network,
                batch,
                target,
                layers,
                quick,
                score,
                size,
                contrast,
                methods=methods,
            )
            self._check_classes(len(maps.probabilities))
            if not slow:
                return maps
            scored = cam.score_cam(
                self.network,
                batch,
                maps.target,
                layers,
                at_once=self._at_once(),
                progress=progress,
                size=size,
            )
            return maps.joined(scored).with_method(scored.method)

        return self._fitted(view, explain)

    def transformed(self, photo: Photo) -> Tensor:
        """Transform a photo for `explain_views`, (1, K, h, w), without asking the network anything.

        Unlike `view` it may be called in another thread than the network's.
        """
        return self._transformed(photo)

    def explain_views(
        self, views: Tensor, methods: str | Iterable[str] | None = None
    ) -> tuple[list[cam.LayerMaps], list[str]]:
        """Explain a batch of views at once: one forward and one backward pass for all of them.

        Parameters
        ----------
        views : Tensor, shape (N, K, h, w)
            Photos as `transformed` gives them, all of one size.
        methods : str or iterable of str, optional
            As for `combicam_widgets.cam.explain`.

        Returns
        -------
        maps : list of N LayerMaps
            Of the most probable cell of each; their heatmaps have the size of the views.
        seen : list of N str
            What the model recognised, see `seen`, if it tells so in this pass; else "".
        """
        return self._explained(self.network, views, methods), [""] * len(views)

    def _explained(
        self,
        network: nn.Module,
        views: Tensor,
        methods: str | Iterable[str] | None,
        output: Output | None = None,
    ) -> list[cam.LayerMaps]:
        if not self._asked:
            self.probabilities(views[:1])
        layers = self.layers
        found: Any = cam.explain(network, views, None, layers, methods=methods, output=output)
        maps: list[cam.LayerMaps] = [found] if isinstance(found, cam.LayerMaps) else found
        self._check_classes(len(maps[0].probabilities))
        return maps

    def prediction_of(self, maps: cam.LayerMaps) -> GeoPrediction:
        """Read the prediction for the whole photo off its layer maps: no pass at all."""
        _check_maps(maps)
        return GeoPrediction(maps.probabilities, self.cells)

    def evidence(
        self,
        photo: Photo,
        heatmap: npt.NDArray[np.floating],
        keep: float | None = 0.3,
        *,
        opposite: bool = False,
    ) -> GeoPrediction:
        """Ask the model again, showing it only what the heatmap highlights.

        Parameters
        ----------
        photo : Photo
        heatmap : (H, W) array in [0, 1]
        keep : float or None
            Fraction of the pixels to keep, the hottest; the rest is blurred away. None: show the
            photo in proportion to the heat.
        opposite : bool
            Blur away what is highlighted instead, and show the rest.

        Returns
        -------
        GeoPrediction
        """
        view = partial(self._evidence, photo, heatmap, keep, opposite=opposite)
        return self._fitted(view, self._predictions)[0]

    def layer_votes(
        self, photo: Photo, maps: cam.LayerMaps, keep: float = 0.3
    ) -> tuple[GeoPrediction, ...]:
        """Ask where the evidence of each layer alone points: a masked photo per layer, in batches.

        Returns
        -------
        tuple of GeoPrediction
            One per layer, in forward order.
        """
        _check_maps(maps)
        heatmaps = [cam.fuse([x], [1.0], maps.size) for x in maps.maps]
        at_once = self._at_once()

        def views(first: int) -> Tensor:
            some = heatmaps[first : first + at_once]
            return torch.cat([self._evidence(photo, heatmap, keep) for heatmap in some])

        votes: list[GeoPrediction] = []
        for first in range(0, len(heatmaps), at_once):
            votes += self._fitted(partial(views, first), self._predictions)
        return tuple(votes)

    def to(self, device: str | torch.device) -> GeoModel:
        """Move the network to a device, such as "cuda"; photos follow by themselves.

        Returns
        -------
        GeoModel
            This one, whose network was moved.
        """
        self.network.to(device)
        return self

    def fingerprint(self) -> dict[str, Any]:
        """Tell what answers depend on, as facts for JSON: equal for equal models."""
        weights = sha256()
        for name, tensor in self.network.state_dict().items():
            values = tensor.detach().cpu().contiguous()
            weights.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            weights.update(values.reshape(-1).view(torch.uint8).numpy().data)
        cells = np.stack([self.cells.latitudes, self.cells.longitudes])
        named = getattr(self.transform, "__qualname__", None) or repr(self.transform)
        return {
            "kind": f"{type(self).__module__}.{type(self).__qualname__}",
            "weights": weights.hexdigest(),
            "cells": sha256(cells.tobytes()).hexdigest(),
            # The one that was assumed is another one once the network was asked.
            "transform": _ADDRESS.sub("", named) if self._has_own_transform else "assumed",
            "outputs": self.outputs,
        }

    def _at_once(self) -> int:
        """Masked photos in a batch."""
        parameter = next(self.network.parameters(), None)
        on_cpu = parameter is None or parameter.device.type == "cpu"
        return _AT_ONCE_ON_CPU if on_cpu else _AT_ONCE

    def seen(self, photo: Photo) -> str:  # noqa: ARG002  (models that name things override it)
        """Say in a few words what the model recognised; empty for a model that names nothing."""
        return ""

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle everything but what is remembered of the last photo."""
        return {**vars(self), "_last_view": None}

    def __repr__(self) -> str:
        return f"GeoModel({self.name}: {len(self.layers)} layers, {len(self.cells)} cells)"

    def _view(self, photo: Photo) -> Tensor:
        return self._seen(photo).batch

    def _seen(self, photo: Photo) -> _View:
        """Transform the photo; the last one is remembered."""
        if not isinstance(photo, Photo):
            raise TypeError(
                f"A Photo is needed, not {type(photo).__name__}: use load_image() or sample()."
            )
        last, transform = self._last_view, self.transform
        if last is None or last.photo() is not photo or last.transform is not transform:
            batch = self._transformed(photo)
            self._warn_of_shifts(photo.size)
            last = self._last_view = _View(ref(photo), transform, batch)
        return last

    def _transformed(self, photo: Photo) -> Tensor:
        return checked_view(self.transform(photo.to_pil()))[None]

    def _fitted(self, view: Callable[[], Tensor], ask: Callable[[Tensor], Answer]) -> Answer:
        """Ask about a view; if the network does not take it, once more with the size it takes."""
        transform, batch = self.transform, view()
        try:
            answer = ask(batch)
        except MISFITS as error:
            if is_out_of_memory(error):
                raise
            if self.transform is transform and not self._fit(transform, batch, error):
                raise
            return ask(view())
        self._shapes_taken.add(tuple(batch.shape))
        return answer

    def _fit(self, transform: Transform, batch: Tensor, error: Exception) -> bool:
        """Change the transform that was assumed to the size that the network takes.

        Returns
        -------
        bool
            Whether the view is to be made anew; not so if something else is wrong.

        Raises
        ------
        ValueError
            The network does not take what the transform gives; says what to give.
        """
        network = self.network.network if isinstance(self.network, AsLogits) else self.network
        if refusal(network, batch) is None:
            return False
        size = size_that_fits(network, batch)
        if size is None and not is_about_shapes(error):
            return False
        if size is not None and refusal(network, batch) is None:
            return False  # it took only some calls to fail: another size is not what it needs
        shape = tuple(batch.shape[1:])
        if size is None or transform is not self._assumed:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            advice = (
                "Give a transform that ends with the size and the channels that the network was "
                "trained with, such as WholePhoto((height, width)) for one size only, or "
                "torchvision's Grayscale() before ToTensor() for one channel."
                if size is None
                else f"It takes {(shape[0], *size)}: give transform=WholePhoto({size}), or one of "
                "your own that ends with this size."
            )
            raise MisfitError(
                f"The network does not take a tensor {shape}, as the transform gives it. {advice} "
                f"It said {what}"
            ) from error
        self._warn(
            "size",
            f"The network does not take photos in their own proportions, as a tensor {shape}: each "
            f"is squeezed into {size[1]} x {size[0]} pixels, the first size tried that the network "
            f"takes. Say so with transform=WholePhoto({size}), or give the size that it was "
            "trained with.",
        )
        self.transform = WholePhoto(size)
        return True

    def _look(self, network: nn.Module, output: Output | None) -> None:
        """Run the network once on a grey photo, if that takes no time, and see what it gives.

        What else is wrong is said when it is first asked, about a photo that is somebody's.
        """
        given: object = None
        parameters = list(network.parameters())
        if any(map(is_lazy, parameters)) or sum(x.numel() for x in parameters) > _LARGE:
            return
        with contextlib.suppress(Exception):
            batch = on_device_of(network, self._transformed(_grey()))
            with Replica(network, noticed=False) as twin:
                given = twin(batch)
        # What comes flattened for several photos is a matter of size: see `_fit`.
        if given is not None and not (isinstance(given, Tensor) and given.shape[:1] != (1,)):
            self._check_classes(shaped_scores(picked(given, output), 1).shape[1])

    def _check_size(self, batch: Tensor) -> None:
        if tuple(batch.shape) not in self._shapes_taken:
            self.probabilities(batch)

    def _warn(self, about: str, message: str) -> None:
        """Warn once, at the line outside the package that asked; again if that was an error."""
        if about in self._warned:
            return
        warn(message)
        self._warned.add(about)

    def _warn_of_shifts(self, size: tuple[int, int]) -> None:
        """Warn if the transform moves things; what it does may depend on the size."""
        if (
            "shift" in self._warned
            or size in self._sizes_tried
            or type(self.transform) is WholePhoto
        ):
            return
        if not keeps_place(self.transform, size):
            self._warn(
                "shift",
                "The transform does not leave the photo in place (does it crop, pad or mirror?), "
                "so heatmaps will lie beside what they explain. Scale the whole photo instead: "
                "leave transform out, or give WholePhoto(side) or Resize((side, side)).",
            )
        self._sizes_tried.add(size)

    def _evidence(
        self,
        photo: Photo,
        heatmap: npt.NDArray[np.floating],
        keep: float | None,
        *,
        opposite: bool = False,
    ) -> Tensor:
        seen = self._seen(photo)
        batch, blurred = seen.batch, seen.blurred
        if opposite:
            batch, blurred = blurred, batch
        if keep is None:
            return cam.soft_evidence(batch, blurred, heatmap)
        return cam.keep_evidence(batch, blurred, heatmap, keep)

    def _predictions(self, batch: Tensor) -> list[GeoPrediction]:
        return [GeoPrediction(p, self.cells) for p in self.probabilities(batch)]

    def _check_outputs(self, scores: Tensor) -> None:
        """Refuse outputs that contradict what was said of them; warn of those that look odd."""
        if self.outputs == "similarities":
            return  # `AsLogits` has checked them
        if self.outputs == "sigmoid":
            given = scores.sigmoid()  # likewise
        else:
            given = scores
            check_outputs(scores, "logits" if self.outputs == "logits" else "log_probabilities")
        if self._doubtful:
            found = doubt(given, self.outputs)
            if found:
                self._warn("outputs", found)
            else:  # what looks odd always does
                self._doubtful = False

    def _check_classes(self, classes: int) -> None:
        if classes != len(self.cells):
            raise ValueError(
                f"The network has {classes} classes, but the grid has {len(self.cells)} cells: "
                "each class must be one cell, in the same order."
            )


def _grey() -> Photo:
    return Photo(np.full((256, 256, 3), 128, np.uint8))


def _checked_temperature(temperature: object, outputs: str) -> float:
    """Return the temperature of similarities; 1 for other outputs, which have none."""
    if outputs != "similarities":
        if temperature is not None:
            raise ValueError(f'outputs="{outputs}" takes no temperature; leave it out.')
        return 1.0
    if temperature is None:
        raise ValueError(
            'outputs="similarities" needs the temperature by which they are divided before the '
            "softmax, as in training: temperature=0.01 for most CLIP models."
        )
    if isinstance(temperature, bool) or not isinstance(temperature, (int, float)):
        raise TypeError(f"temperature must be a number > 0, not {temperature!r}.")
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be a finite number > 0, not {temperature!r}.")
    return float(temperature)


def _check_maps(maps: object) -> None:
    if not isinstance(maps, cam.LayerMaps):
        raise TypeError(f"LayerMaps are needed, not a {type(maps).__name__}: use explain().")


@dataclass(frozen=True, eq=False)
class _View:
    """What the network sees of a photo; a model lives long and must not hold the photo itself."""

    photo: ref[Photo]
    transform: Transform
    batch: Tensor

    @cached_property
    def blurred(self) -> Tensor:
        return cam.blur(self.batch)
