"""The model that the Combi-CAM paper explains, from the files that its authors publish."""

from __future__ import annotations

from collections import OrderedDict
from os import PathLike
from pathlib import Path
from typing import Self, overload

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.cam.replicas import Replica
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.models.certh.checkpoint import advice
from combicam_widgets.models.certh.mixture import Mixture, read_mixture
from combicam_widgets.models.certh.network import EfficientNetB4, read_backbone
from combicam_widgets.models.certh.retrieval import (
    Background,
    RetrievalHead,
    most_common_place,
    read_retrieval_head,
)
from combicam_widgets.models.checkpoint import existing_folder, required_file
from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.info import ModelInfo
from combicam_widgets.models.transforms import ShorterSide

_BACKBONE, _MIXTURE = "efficientnet_backbone.pt", "mvmf_head.pt"
_RETRIEVAL, _BACKGROUND = "rrm_head.pt", "back_coll_features.hdf5"


class Certh(GeoModel):
    """EfficientNet-B4 and a mixture of von Mises-Fisher distributions, made by `from_folder`.

    Kordopatis-Zilos et al., Leveraging EfficientNet and Contrastive Learning for Accurate
    Global-scale Location Estimation, ICMR 2021. Each component of the mixture is a cell. The
    answer is the centre of the most probable one; `refine` searches within it.

    Parameters
    ----------
    backbone : EfficientNetB4
    layer : nn.Linear
        Maps features (N, 1792) to logits of the M components' weights.
    mixture : Mixture
        The M components; each is a cell.
    retrieval : RetrievalHead, optional
        For `embedding` and `refine`.
    background : Path, optional
        HDF5 file of the background collection, for `refine`; opened when first needed.
    """

    looked_at_when_made = False

    INFO = ModelInfo(
        name="certh",
        summary="mixture of places (CERTH, ICMR 2021), the model that the Combi-CAM paper explains",
        kind="EfficientNet-B4 + mixture",
        layers=32,
        cells=31145,
        input="300 x 300 px, whole photo",
        megabytes=353.6,
        weights_licence="its authors' to say (their code: Apache-2.0)",
        data_licence="its authors' to say",
        needs="the folder with efficientnet_backbone.pt and mvmf_head.pt, which its authors offer "
        "at https://mever.iti.gr/visloc, or on request.",
    )

    def __init__(
        self,
        backbone: EfficientNetB4,
        layer: nn.Linear,
        mixture: Mixture,
        retrieval: RetrievalHead | None = None,
        background: Path | None = None,
    ) -> None:
        super().__init__(
            network=nn.Sequential(OrderedDict(backbone.named_children(), mixture=layer)).eval(),
            cells=mixture.cells,
            transform=ShorterSide(300),
            name=self.INFO.name,
            description=self.INFO.summary,
        )
        self.mixture = mixture
        self._backbone = backbone
        self._retrieval = retrieval
        self._background = None if background is None else Background(background, mixture.cells)

    @classmethod
    def from_folder(cls, folder: str | PathLike[str]) -> Self:
        """Load the files that the authors publish at https://mever.iti.gr/visloc.

        Nothing is fetched, and no code in the files is run.

        Parameters
        ----------
        folder : path-like
            Holds ``efficientnet_backbone.pt`` and ``mvmf_head.pt``; for `refine` also
            ``rrm_head.pt`` and ``back_coll_features.hdf5``, which is looked into only then.

        Raises
        ------
        TypeError
            ``folder`` is no path.
        OSError
            The folder or a file is missing or cannot be read.
        ValueError
            A file is damaged or is another one; the message names it, says what was expected and
            found, and where the right one comes from.
        """
        folder = existing_folder(folder, f"{_BACKBONE} and {_MIXTURE}. {advice(_BACKBONE)}")
        backbone, mixture = (
            required_file(folder, name, advice(name)) for name in (_BACKBONE, _MIXTURE)
        )
        retrieval, background = folder / _RETRIEVAL, folder / _BACKGROUND
        return cls(
            read_backbone(backbone),
            *read_mixture(mixture),
            retrieval=read_retrieval_head(retrieval) if retrieval.exists() else None,
            background=background if background.exists() else None,
        )

    @overload
    def density(
        self, photo_or_prediction: Photo | GeoPrediction, latitude: float, longitude: float
    ) -> float: ...
    @overload
    def density(
        self, photo_or_prediction: Photo | GeoPrediction, latitude: ArrayLike, longitude: ArrayLike
    ) -> npt.NDArray[np.float64]: ...
    def density(
        self, photo_or_prediction: Photo | GeoPrediction, latitude: ArrayLike, longitude: ArrayLike
    ) -> npt.NDArray[np.float64] | float:
        """Say how likely places are: the density that the model was trained to make large.

        Parameters
        ----------
        photo_or_prediction : Photo or GeoPrediction
            A photo, or what this model predicted for it, which spares a pass.
        latitude, longitude : float or array
            Degrees; shapes that broadcast together.

        Returns
        -------
        float64 array of that shape, or float
            Probability per steradian, at least 1e-9; see `Mixture.density`.

        Raises
        ------
        TypeError, ValueError
            They are not places on the Earth, or the prediction is another model's.
        """
        weights = self._prediction(photo_or_prediction).probabilities
        return self.mixture.density(weights, latitude, longitude)

    def features(self, photo: Photo) -> npt.NDArray[np.float32]:
        """Return the features of a photo, shape (1792,): one forward pass."""
        return self._features(photo)[0].numpy()

    def embedding(self, photo: Photo) -> npt.NDArray[np.float32]:
        """Return the embedding of a photo for retrieval, shape (1792,) and length 1.

        Raises
        ------
        FileNotFoundError
            The model was loaded without ``rrm_head.pt``.
        """
        if self._retrieval is None:
            raise _missing(_RETRIEVAL)
        with Replica(self._retrieval) as retrieval:
            embedding: Tensor = retrieval(self._features(photo))[0]
        return embedding.numpy()

    def refine(self, photo: Photo, prediction: GeoPrediction | None = None) -> tuple[float, float]:
        """Search within cell: average the places of the most similar photos of the best cell.

        Of the 10 photos of the background collection that lie in the most probable cell and are
        most similar, the largest group within 1 km counts. A cell without photos gives its centre.

        Parameters
        ----------
        photo : Photo
        prediction : GeoPrediction, optional
            What this model predicted for the photo; spares a pass.

        Returns
        -------
        latitude, longitude : float
            Degrees.

        Raises
        ------
        FileNotFoundError
            The model was loaded without ``rrm_head.pt`` or ``back_coll_features.hdf5``.
        ImportError
            h5py is not installed.
        OSError, ValueError
            The background collection cannot be read or is not one, or the prediction is another
            model's.
        """
        if self._background is None:
            raise _missing(_BACKGROUND)
        embedding = self.embedding(photo)
        best = self._prediction(photo if prediction is None else prediction).best
        candidates = self._background.candidates(best.index, embedding)
        if not len(candidates):
            return best.latitude, best.longitude
        return most_common_place(candidates)

    def _features(self, photo: Photo) -> Tensor:
        return cam.class_scores(self._backbone, self._view(photo)).float().cpu()

    def _prediction(self, given: Photo | GeoPrediction) -> GeoPrediction:
        if not isinstance(given, GeoPrediction):
            return self.predict(given)
        if given.cells is not self.cells:
            raise ValueError(
                "The prediction is another model's: give one of this model, or a photo."
            )
        return given


def _missing(name: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"The model was loaded without {name}, which this needs: put it beside the other files "
        f"and load the model again. {advice(name)}"
    )
