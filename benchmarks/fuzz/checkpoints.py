"""Hostile files of weights and of background photos: damaged, cut off, or made to mislead."""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from combicam_widgets.geo import CellGrid
from combicam_widgets.models.certh.mixture import read_mixture
from combicam_widgets.models.certh.network import FEATURES
from combicam_widgets.models.certh.retrieval import Background
from combicam_widgets.models.checkpoint import check_tensors, read_safetensors

_CELLS, _PHOTOS = 12, 20
_WEIGHT, _BIAS = "mixture_weights.seq_model.0.weight", "mixture_weights.seq_model.0.bias"

_MEGABYTES = 300
"""How much memory reading a file of about 100 kB may take at most."""


def attempt(rng: np.random.Generator) -> None:
    """Read one hostile file; see `benchmarks.fuzz`."""
    kind = ["mixture", "collection", "safetensors"][rng.integers(3)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hostile.bin"
        if rng.random() < 0.5:
            path.write_bytes(_damaged(_good(kind, int(rng.integers(4))), rng))
        elif kind == "collection":
            _odd_collection(path, rng)
        else:
            path.write_bytes(_written(kind, _odd_tensors(kind, rng), rng))
        before = _peak_megabytes()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _READERS[kind](path)
        except (ValueError, OSError) as error:
            # What is refused is named, and the reason is not one of Python's own.
            if str(path) not in str(error):
                raise
        grown = _peak_megabytes() - before
        if grown > _MEGABYTES:
            raise MemoryError(f"{path.stat().st_size} bytes took {grown:.0f} MB")


def _read_mixture(path: Path) -> None:
    layer, mixture = read_mixture(path)
    if not (layer.out_features == len(mixture.cells) and layer.weight.isfinite().all()):
        raise AssertionError("a mixture whose parts do not belong together")


def _read_collection(path: Path) -> None:
    embedding = np.ones(FEATURES, np.float32)
    positions = Background(path, _cells()).candidates(3, embedding)
    if not (np.isfinite(positions).all() and (np.abs(positions[:, 0]) <= 90).all()):
        raise AssertionError("positions that are not on the Earth")


def _read_safetensors(path: Path) -> None:
    tensors = read_safetensors(path, "Copy it again.")
    check_tensors(path, tensors, _tensors("safetensors"), "Copy it again.")


_READERS: dict[str, Callable[[Path], None]] = {
    "mixture": _read_mixture,
    "collection": _read_collection,
    "safetensors": _read_safetensors,
}


@cache
def _cells() -> CellGrid:
    rng = np.random.default_rng(0)
    return CellGrid.from_centers(rng.uniform(-80, 80, _CELLS), rng.uniform(-180, 180, _CELLS))


@cache
def _tensors(kind: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    if kind == "safetensors":
        return {
            "a.weight": torch.randn(30, 40, generator=generator),
            "a.bias": torch.randn(30, generator=generator).half(),
        }
    return {
        "mvmf.mus": torch.from_numpy(np.stack([_cells().latitudes, _cells().longitudes])),
        "mvmf.kappas": torch.zeros(_CELLS, dtype=torch.float64),
        _WEIGHT: torch.randn(_CELLS, FEATURES, generator=generator),
        _BIAS: torch.zeros(_CELLS),
    }


@cache
def _good(kind: str, variant: int) -> bytes:
    """Make a file as it should be, in one of the ways in which such files are written."""
    if kind != "collection":
        return _written(kind, _tensors(kind), np.random.default_rng(variant))
    file, rng = io.BytesIO(), np.random.default_rng(variant)
    ways: dict[str, Any] = [
        {},
        {"chunks": (7, 2)},
        {"compression": "gzip", "chunks": (7, 2)},
        {"shuffle": True, "fletcher32": True, "chunks": (7, 2)},
    ][variant]
    with h5py.File(file, "w") as written:
        written.create_dataset("labels", data=rng.uniform(-80, 80, (_PHOTOS, 2)), **ways)
        if "chunks" in ways:
            ways["chunks"] = (7, FEATURES)
        features = rng.normal(size=(_PHOTOS, FEATURES)).astype(np.float16)
        written.create_dataset("features", data=features, **ways)
    return file.getvalue()


def _written(kind: str, tensors: dict[Any, Any], rng: np.random.Generator) -> bytes:
    if kind == "safetensors":
        return save(tensors)
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=bool(rng.integers(2)))
    return file.getvalue()


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Change bytes, most often where a file says how it is made: at its ends."""
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        edge = int(rng.integers(2)) * int(rng.integers(1, 2_000))
        at = int(rng.integers(len(content))) if rng.random() < 0.3 else edge
        at = min(at, len(content) - 1) if rng.random() < 0.6 else max(len(content) - at - 1, 0)
        match int(rng.integers(6)):
            case 0:
                content = content[: max(at, 1)]
            case 1:
                content[at] = int(rng.integers(256))
            case 2:
                content[at] ^= 1 << int(rng.integers(8))
            case 3:
                huge = [2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1, 0]
                number = huge[rng.integers(len(huge))].to_bytes(8, "little")
                content[at : at + 8] = number[: len(content[at : at + 8])]
            case 4:
                other = int(rng.integers(len(content)))
                piece = content[other : other + int(rng.integers(1, 64))]
                content[at : at + len(piece)] = piece
            case 5:
                del content[at : at + int(rng.integers(1, 64))]
        content = content or bytearray(1)
    return bytes(content)


def _odd_tensors(kind: str, rng: np.random.Generator) -> dict[Any, Any]:
    tensors: dict[Any, Any] = dict(_tensors(kind))
    key = list(tensors)[rng.integers(len(tensors))]
    tensor = tensors[key]
    rows = int(10 ** rng.uniform(3, 10))
    odd: list[Callable[[], Any]] = [
        tensor[:-1].clone,
        lambda: tensor.double() if tensor.dtype != torch.float64 else tensor.float(),
        tensor.bfloat16,
        lambda: torch.full_like(tensor, float("nan")),
        lambda: torch.full_like(tensor, -float("inf")),
        lambda: tensor * 1e30,
        tensor[None].clone,
        lambda: tensor.to(torch.int64),
        lambda: torch.zeros(0, dtype=tensor.dtype),
    ]
    if kind == "mixture":  # safetensors has no way to write these
        odd += [
            lambda: torch.zeros(1, dtype=tensor.dtype).expand(rows, *tensor.shape[1:]),
            lambda: torch.zeros(1, dtype=tensor.dtype).expand(tensor.shape),
            lambda: tensor.flatten()[: tensor.numel() // 2].as_strided(
                tensor.shape, (0,) * tensor.ndim
            ),
            tensor.to_sparse,
            lambda: torch.sparse_coo_tensor(size=(rows, 2), dtype=tensor.dtype),
            lambda: tensor.to("meta"),
            lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.quint8),
            lambda: torch.nested.nested_tensor([tensor, tensor]),
            lambda: torch.nn.Parameter(tensor),
            lambda: tensor.to(torch.complex64),
            lambda: [tensor],
            lambda: {"inner": tensor},
            lambda: None,
            lambda: bytearray(4),
            lambda: "text",
            lambda: 10**400,
        ]
        keys: list[Callable[[], Any]] = [lambda: 7, lambda: ("a",) * 3, lambda: None, lambda: 1e300]
        if rng.random() < 0.2:
            tensors[keys[rng.integers(len(keys))]()] = tensor
        if rng.random() < 0.1:
            for each in ("mvmf.kappas", _BIAS, _WEIGHT, "mvmf.mus"):
                shape = [2, rows] if each == "mvmf.mus" else [rows, *tensors[each].shape[1:]]
                tensors[each] = torch.zeros(1, dtype=tensors[each].dtype).expand(shape)
            return tensors
    tensors[key] = odd[rng.integers(len(odd))]()
    return tensors


def _odd_collection(path: Path, rng: np.random.Generator) -> None:
    """Write a collection in which one dataset is not what it should be."""
    name = ["features", "labels"][rng.integers(2)]
    width = FEATURES if name == "features" else 2
    rows = int(10 ** rng.uniform(3, 9))
    elsewhere = path.with_name("elsewhere")
    layout = h5py.VirtualLayout((_PHOTOS, width), "f4")
    layout[:] = h5py.VirtualSource(str(elsewhere), name, (_PHOTOS, width))
    pair = np.dtype([("a", "f4"), ("b", "f4")])
    chunk = (min(rows, 2**15), width) if width == 2 else (64, width)
    odd: list[Callable[[h5py.File], Any]] = [
        lambda file: file.__setitem__(name, h5py.ExternalLink(str(elsewhere), name)),
        lambda file: file.__setitem__(name, h5py.SoftLink("/inner/" + name)),
        lambda file: file.create_virtual_dataset(name, layout),
        lambda file: file.create_dataset(
            name, (_PHOTOS, width), "f4", external=[(str(elsewhere), 0, _PHOTOS * width * 4)]
        ),
        lambda file: file.create_dataset(name, (rows, width), "f8"),
        lambda file: file.create_dataset(name, (rows, width), "f8", chunks=chunk),
        lambda file: file.create_dataset(name, (rows, width), "f8", chunks=chunk, compression=9),
        lambda file: file.create_dataset(name, (rows, width), "f8", fillvalue=1.0),
        lambda file: file.create_dataset(name, data=np.zeros((_PHOTOS, width), "i8")),
        lambda file: file.create_dataset(name, data=np.zeros((_PHOTOS, width + 1))),
        lambda file: file.create_dataset(name, data=np.zeros((_PHOTOS, width, 1))),
        lambda file: file.create_dataset(name, data=np.zeros((_PHOTOS, width), pair)),
        lambda file: file.create_dataset(name, data=np.full((_PHOTOS, width), np.nan)),
        lambda file: file.create_dataset(name, data=np.full((_PHOTOS, width), 1e30)),
        lambda file: file.create_dataset(name, data=np.zeros((_PHOTOS, width), np.longdouble)),
        lambda file: file.create_dataset(name, data=np.zeros((_PHOTOS, width), "c8")),
        lambda file: file.create_dataset(name, (_PHOTOS, width), h5py.string_dtype()),
        lambda file: file.create_dataset(name, (_PHOTOS, width), h5py.vlen_dtype(np.float32)),
        lambda file: file.create_dataset(name, (_PHOTOS, width), h5py.ref_dtype),
        lambda file: file.create_dataset(name, (_PHOTOS, width), h5py.regionref_dtype),
        lambda file: file.create_dataset(name, data=h5py.Empty("f8")),
        lambda file: file.create_dataset(name, data=1.0),
        lambda file: file.create_dataset(name, (0, width), "f8"),
        lambda file: file.create_group(name),
        lambda file: file.__setitem__(name, np.dtype("f8")),
        lambda _file: None,
    ]
    good_file = io.BytesIO(_good("collection", int(rng.integers(4))))
    with h5py.File(good_file, "r") as good, h5py.File(path, "w") as file:
        good.copy("labels" if name == "features" else "features", file)
        good.copy(name, file.create_group("inner"))
        odd[rng.integers(len(odd))](file)


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
