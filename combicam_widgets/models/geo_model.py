"""A geo model: a network and what is needed to ask it where a photo was taken, and why."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from weakref import WeakKeyDictionary, ref

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.geo import CellGrid, GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.models.outputs import OUTPUTS, AsLogits, check_outputs
from combicam_widgets.models.transforms import Transform, WholePhoto, checked_view, keeps_place

_SCORE_CAM_AT_ONCE = 4
"""Masked photos in a batch: on a CPU more are no faster, and make other passes wait longer."""

_last_views: WeakKeyDictionary[GeoModel, tuple[ref[Photo], Tensor, Tensor]] = WeakKeyDictionary()
"""The photo that each model was asked about last, transformed, and blurred. Models are shared and
live long: they must not hold photos."""


class GeoModel:
    """Network + cell grid + image transform + the layers worth explaining.

    A subclass whose photos are pieces of the Earth seen from above, as `combicam_widgets.tile`
    makes them, sets ``from_above = True``: then a click on the explorer's map looks there.

    Parameters
    ----------
    network : nn.Module
        Maps a batch (N, 3, h, w) to one number per cell, (N, C); see ``outputs``. It is never
        changed.
    cells : CellGrid
        The C cells, in class order.
    transform : callable, optional
        From an RGB PIL image to a float tensor (3, h, w). It may scale the photo and change its
        proportions, since the heatmap is stretched over the whole photo again; a crop or a border
        shifts the heatmap, about which a warning is given once. Default: ``WholePhoto(224)``.
    layers : str or sequence of str
        The layers to explain: a granularity of `combicam_widgets.cam.architecture` ("stage",
        "block", "convolution"; default "block"), or the names of modules.
    name : str
        A short name for people.
    description : str
        One line for people.
    outputs : str
        What the network gives: ``logits`` (default), ``log_probabilities`` or ``probabilities``
        (a network that ends in a softmax). Checked when it is first asked, never guessed. Better
        leave the softmax off, if you can: a probability that rounds to 1 has no gradient.

    Attributes
    ----------
    network : nn.Module
        The network whose outputs are logits: the one given or, if that gives probabilities, one
        around it that takes their logarithm and has the same layers.

    Raises
    ------
    TypeError
        An argument of the wrong kind. When the model is first asked: the transform gives no
        floating tensor, or the network gives several outputs.
    ValueError
        Unknown ``outputs``. When the model is first asked: the transform gives another shape, or
        NaN; the network's outputs contradict ``outputs``, have another shape, are not finite, or
        are not as many as the cells. The message says what to do.

    Examples
    --------
    >>> cells = CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])  # doctest: +SKIP
    >>> model = GeoModel(network, cells, outputs="probabilities")  # doctest: +SKIP
    """

    from_above = False

    def __init__(
        self,
        network: nn.Module,
        cells: CellGrid,
        transform: Transform | None = None,
        layers: str | Sequence[str] = "block",
        name: str = "model",
        description: str = "",
        outputs: str = "logits",
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module, not {type(network).__name__}.")
        if not isinstance(cells, CellGrid):
            raise TypeError(f"cells must be a CellGrid, not {type(cells).__name__}.")
        if transform is not None and not callable(transform):
            raise TypeError("transform must be callable: PIL image -> tensor (3, h, w).")
        if outputs not in OUTPUTS:
            raise ValueError(f"outputs must be one of {', '.join(OUTPUTS)}, not {outputs!r}.")
        self.network = AsLogits(network) if outputs == "probabilities" else network
        self.outputs = outputs
        self.cells = cells
        self.transform = WholePhoto() if transform is None else transform
        self.name = name
        self.description = description
        self._layers = layers if isinstance(layers, str) else tuple(layers)
        self._sizes_tried: set[tuple[int, int]] = set()
        self._warned = False
        self._asked = False

    @cached_property
    def architecture(self) -> cam.Architecture:
        """Stages and layers, with the shapes they have for a square photo."""
        square = self._transformed(Photo(np.full((256, 256, 3), 128, np.uint8)))
        return cam.architecture(self.network, square, self._layers)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are explained, in forward order."""
        return self.architecture.names

    def predict(self, photo: Photo) -> GeoPrediction:
        """Say where the photo may have been taken: one forward pass."""
        return self._predictions(self._view(photo)[0])[0]

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
        return self._view(photo)[0].clone()

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
        check_outputs(scores, "logits" if self.outputs == "logits" else "log_probabilities")
        self._asked = True
        # First to the CPU: not every device has float64 (Apple's MPS).
        probabilities: npt.NDArray[np.float32] = scores.cpu().double().softmax(1).float().numpy()
        return probabilities

    def explain(
        self,
        photo: Photo,
        target: int | None = None,
        method: str = "gradcam",
        score: str = "log_probability",
        contrast: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> cam.LayerMaps:
        """Compute the maps of all layers: one forward and one backward pass.

        Only the method ``scorecam`` takes longer: one forward pass for each channel. A network
        that was never asked before is checked first: one forward pass more, once.

        Parameters
        ----------
        photo : Photo
        target : int, optional
            Index of the cell to explain; default: the most probable one.
        method, score : str
            See `combicam_widgets.cam.explain`.
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
        batch = self._view(photo)[0]
        size = photo.height, photo.width
        slow = method in cam.SLOW_METHODS
        if slow and contrast is not None:
            raise ValueError(f"The method {method!r} knows no contrast; choose another one.")
        quick = cam.METHODS[0] if slow else method
        if not self._asked:
            self._predictions(batch)
        maps = cam.explain(self.network, batch, target, self.layers, quick, score, size, contrast)
        self._check_classes(len(maps.probabilities))
        if not slow:
            return maps
        scored = cam.score_cam(
            self.network,
            batch,
            maps.target,
            self.layers,
            at_once=_SCORE_CAM_AT_ONCE,
            progress=progress,
            size=size,
        )
        return maps.joined(scored).with_method(method)

    def prediction_of(self, maps: cam.LayerMaps) -> GeoPrediction:
        """Read the prediction for the whole photo off its layer maps: no pass at all."""
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
        shown = self._evidence(photo, heatmap, keep, opposite=opposite)
        return self._predictions(shown)[0]

    def layer_votes(
        self, photo: Photo, maps: cam.LayerMaps, keep: float = 0.3
    ) -> tuple[GeoPrediction, ...]:
        """Ask where the evidence of each layer alone points: one small forward pass per layer.

        Returns
        -------
        tuple of GeoPrediction
            One per layer, in forward order.
        """
        return tuple(
            self._predictions(self._evidence(photo, cam.fuse([x], [1.0], maps.size), keep))[0]
            for x in maps.maps
        )

    def seen(self, photo: Photo) -> str:  # noqa: ARG002  (models that name things override it)
        """Say in a few words what the model recognised; empty for a model that names nothing."""
        return ""

    def __repr__(self) -> str:
        return f"GeoModel({self.name}: {len(self.layers)} layers, {len(self.cells)} cells)"

    def _view(self, photo: Photo) -> tuple[Tensor, Tensor]:
        """Transform the photo and blur it; the last one is remembered."""
        if not isinstance(photo, Photo):
            raise TypeError(
                f"A Photo is needed, not {type(photo).__name__}: use load_image() or sample()."
            )
        last = _last_views.get(self)
        if last is None or last[0]() is not photo:
            batch = self._transformed(photo)
            self._warn_of_shifts(photo.size)
            last = _last_views[self] = (ref(photo), batch, cam.blur(batch))
        return last[1:]

    def _transformed(self, photo: Photo) -> Tensor:
        return checked_view(self.transform(photo.to_pil()))[None]

    def _warn_of_shifts(self, size: tuple[int, int]) -> None:
        """Warn, once, if the transform moves things; what it does may depend on the size."""
        if self._warned or size in self._sizes_tried or type(self.transform) is WholePhoto:
            return
        self._sizes_tried.add(size)
        if not keeps_place(self.transform, size):
            self._warned = True
            warnings.warn(
                "The transform does not leave the photo in place (does it crop, pad or mirror?), "
                "so heatmaps will lie beside what they explain. Scale the whole photo instead: "
                "leave transform out, or give WholePhoto(side) or Resize((side, side)).",
                stacklevel=4,
            )

    def _evidence(
        self,
        photo: Photo,
        heatmap: npt.NDArray[np.floating],
        keep: float | None,
        *,
        opposite: bool = False,
    ) -> Tensor:
        batch, blurred = self._view(photo)
        if opposite:
            batch, blurred = blurred, batch
        if keep is None:
            return cam.soft_evidence(batch, blurred, heatmap)
        return cam.keep_evidence(batch, blurred, heatmap, keep)

    def _predictions(self, batch: Tensor) -> list[GeoPrediction]:
        return [GeoPrediction(p, self.cells) for p in self.probabilities(batch)]

    def _check_classes(self, classes: int) -> None:
        if classes != len(self.cells):
            raise ValueError(
                f"The network has {classes} classes, but the grid has {len(self.cells)} cells: "
                "each class must be one cell, in the same order."
            )
