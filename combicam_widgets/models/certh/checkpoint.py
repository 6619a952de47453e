"""The files that the authors of the model publish, read without running anything in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

SOURCE = "https://mever.iti.gr/visloc/"
"""Where the authors publish the files; nothing here ever fetches them."""


def advice(name: str) -> str:
    """Say where a file comes from."""
    return f"The authors publish {name} at {SOURCE}{name}; nothing is fetched for you."


def required_file(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder.

    Raises
    ------
    FileNotFoundError
        It is not there; the message says where to get it.
    """
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {name} in {folder}. {advice(name)}")
    return path


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict. `torch.load` runs with ``weights_only=True``: no code is executed.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is damaged, or it holds something else than named tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is no PyTorch file, or holds more than tensors, such as code; nothing in it "
            f"was run. Delete it. {advice(path.name)}"
        ) from error
    except Exception as error:
        raise ValueError(
            f"{path} is damaged or cut off: copy it again. {advice(path.name)}"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(  # noqa: TRY004  (it is a file that is wrong, not the kind of an argument)
            f"{path} must hold a state dict, tensors by name, but holds a "
            f"{type(content).__name__}. {advice(path.name)}"
        )
    return dict(content)


def check_tensors(
    path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Refuse a state dict that does not hold what is expected, and nothing but that.

    Parameters
    ----------
    path : Path
        The file, for the messages.
    tensors : mapping of str to Tensor
        What it holds.
    expected : mapping of str to Tensor
        Tensors of the expected shapes and types; their values do not matter ("meta" will do).

    Raises
    ------
    ValueError
        A key is missing or one too many, or a tensor has the wrong kind, shape or type, or holds
        NaN or infinite values; the message names the file and the key.
    """
    for problem, keys in {
        "lacks": expected.keys() - tensors.keys(),
        "must not hold": tensors.keys() - expected.keys(),
    }.items():
        if keys:
            first, *others = sorted(keys, key=str)
            more = f" and {len(others)} more keys" if others else ""
            raise ValueError(
                f"{path} {problem} {first!r}{more}: it belongs to another model or another part "
                f"of this one. {advice(path.name)}"
            )
    for key, model in expected.items():
        found = _difference(tensors[key], model)
        if found:
            raise ValueError(
                f"{key!r} in {path} must be a {_kind(model)}, but {found}. {advice(path.name)}."
            )


def _difference(tensor: object, model: Tensor) -> str:
    if not isinstance(tensor, Tensor):
        return f"is a {type(tensor).__name__}"
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return "is stored in a form that holds no plain values"
    if tensor.shape != model.shape or tensor.dtype != model.dtype:
        return f"is a {_kind(tensor)}"
    if not tensor.isfinite().all():
        return "holds NaN or infinite values"
    return ""


def _kind(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{dtype} tensor of shape {tuple(tensor.shape)}"
