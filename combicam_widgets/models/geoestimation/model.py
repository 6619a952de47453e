"""ResNet-50 with a coarse, a middle and a fine partitioning, from files that people still have."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from torch import nn

from combicam_widgets.geo import CellGrid
from combicam_widgets.geo.cell_table import read_cell_table
from combicam_widgets.geo.tokens import s2_ancestors
from combicam_widgets.models.checkpoint import existing_folder, required_file
from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.geoestimation.network import read_network
from combicam_widgets.models.info import ModelInfo
from combicam_widgets.models.transforms import ShorterSide

SOURCE = "https://github.com/TIBHannover/GeoEstimation"
"""Where the authors published the files, and why they withdrew them."""

_TABLES = ("cells_50_5000.csv", "cells_50_2000.csv", "cells_50_1000.csv")
"""Coarse, middle, fine."""

_REMEDY = (
    f"Its authors withdrew the files in December 2025, see {SOURCE}: take them from a copy that "
    "was made before; nothing is fetched for you."
)


class GeoEstimation(GeoModel):
    """ResNet-50 that classifies three partitionings of the Earth, made by `from_folder`.

    Müller-Budack et al., Geolocation Estimation of Photos using a Hierarchical Model and Scene
    Classification, ECCV 2018: the model "base (M, f*)" in the authors' later PyTorch version.

    Parameters
    ----------
    network : nn.Sequential
        See `hierarchical_resnet`.
    cells : CellGrid
        Of the finest partitioning.
    """

    looked_at_when_made = False

    INFO = ModelInfo(
        name="geoestimation",
        summary="12,893 S2 cells through three partitionings (ECCV 2018), for those who have the "
        "files",
        kind="ResNet-50, hierarchical",
        layers=16,
        cells=12893,
        input="256 x 256 px, whole photo",
        weights_licence="GPL-3.0, as its authors published them",
        data_licence="likewise",
        needs=f"the folder with the checkpoint (*.ckpt), {', '.join(_TABLES)}. {_REMEDY}",
    )

    def __init__(self, network: nn.Sequential, cells: CellGrid) -> None:
        super().__init__(
            network=network,
            cells=cells,
            transform=ShorterSide(256),
            name=self.INFO.name,
            description=self.INFO.summary,
            outputs="log_probabilities",
        )

    @classmethod
    def from_folder(cls, folder: str | PathLike[str]) -> Self:
        """Load the files that the authors published until 2025.

        Nothing is fetched, and no code in the files is run.

        Parameters
        ----------
        folder : path-like
            Holds one checkpoint of PyTorch Lightning, ``*.ckpt``, and the tables of cells
            ``cells_50_5000.csv``, ``cells_50_2000.csv`` and ``cells_50_1000.csv``.

        Raises
        ------
        TypeError
            ``folder`` is no path.
        OSError
            The folder or a file is missing or cannot be read.
        ValueError
            A file is damaged or is another one, or there are several checkpoints; the message
            names it, and says what was expected and found.
        """
        folder = existing_folder(folder, f"the checkpoint and {', '.join(_TABLES)}. {_REMEDY}")
        tables = [required_file(folder, name, _REMEDY) for name in _TABLES]
        sizes, ancestors = read_hierarchy(tables)
        network = read_network(_checkpoint(folder), sizes, ancestors, _REMEDY)
        return cls(network, CellGrid.from_csv(tables[-1]))


def read_hierarchy(tables: list[Path]) -> tuple[list[int], npt.NDArray[np.intp]]:
    """Read how some partitionings lie in each other.

    Parameters
    ----------
    tables : list of P paths
        See `CellGrid.from_csv`; the finest last.

    Returns
    -------
    sizes : list of P int
        Cells of each.
    ancestors : (F, P) integer array
        Of each cell of the finest, the cell of each that it lies in, or is.

    Raises
    ------
    OSError, ValueError
        A table cannot be read or is none of S2 cells, or the cells do not lie in each other.
    """
    partitionings = []
    for path in tables:
        tokens = read_cell_table(path)[0]
        if tokens is None:
            raise ValueError(f"{path} must have a column hex_id, the tokens of S2 cells. {_REMEDY}")
        partitionings.append(tokens)
    finest = partitionings[-1]
    ancestors = np.array([s2_ancestors(finest, tokens) for tokens in partitionings]).T
    for cell, level in np.argwhere(ancestors < 0).tolist():
        raise ValueError(
            f"the cell {finest[cell]!r} of {tables[-1]} lies in none of {tables[level]}: these "
            f"tables do not belong together. {_REMEDY}"
        )
    return [len(tokens) for tokens in partitionings], ancestors


def _checkpoint(folder: Path) -> Path:
    found = sorted(folder.glob("*.ckpt"))
    if not found:
        raise FileNotFoundError(f"There is no checkpoint, *.ckpt, in {folder}. {_REMEDY}")
    if len(found) > 1:
        raise ValueError(
            f"{folder} holds several checkpoints: {', '.join(path.name for path in found)}; "
            "leave only the one to load."
        )
    return found[0]
