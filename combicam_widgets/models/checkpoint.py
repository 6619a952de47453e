"""Files with the weights of a network, read without running anything in them.

Whatever a file claims is compared with what is in it before memory is taken for it.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import reprlib
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any

import safetensors
import torch
from safetensors.torch import load
from torch import Tensor, nn

REINSTALL = "Install combicam_widgets again: pip install --force-reinstall combicam_widgets."
"""What to do about a damaged file that comes with the package."""

_ZIP = b"PK\x03\x04"

_LEGACY_PICKLES = 5
"""A magic number, the version, the system, the content, the order of the numbers."""

_LIGHTNING = re.compile(
    r"(pytorch_)?lightning\.[\w.]+|argparse\.Namespace|collections\.Counter|pathlib\.\w*Path"
)
"""What a checkpoint of PyTorch Lightning refers to beside its tensors."""

_TENSOR_PARTS = {
    "collections",
    "torch",
    "torch._tensor",
    "torch._utils",
    "torch.nn.parameter",
    "torch.serialization",
}
"""Modules whose names a pickled state dict refers to; of ``collections`` only OrderedDict."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200


def read_tensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read a state dict. `torch.load` runs with ``weights_only=True``: no code is executed.

    Parameters
    ----------
    path : Path
    remedy : str
        A sentence for the messages: where a good copy of the file comes from.

    Returns
    -------
    dict
        What the file holds, by name: see `check_tensors`.

    Raises
    ------
    OSError
        The file is not there or may not be read.
    ValueError
        It is damaged, or it holds something else than named tensors.
    """
    return _loaded(path, remedy, re.compile(r"(?!)"))


def read_lightning(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read the state dict in a checkpoint of PyTorch Lightning, or a plain one.

    Lightning is not needed: its objects in the file, such as settings, become empty ones. No code
    is executed.

    Parameters, returns and errors as for `read_tensors`.
    """
    content = _loaded(path, remedy, _LIGHTNING)
    state: object = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise ValueError(  # noqa: TRY004
            f"'state_dict' in {path} must hold tensors by name, but is a {type(state).__name__}. "
            f"{remedy}"
        )
    return dict(state)


class _Nothing:
    """Stands for whatever class of a file is of no interest; its objects are empty dicts.

    Not objects of a class of our own: torch fills none but its own kinds of dicts.
    """

    def __new__(cls, *_arguments: object) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


def _loaded(path: Path, remedy: str, passed_over: re.Pattern[str]) -> dict[str, Any]:
    """Load a file of `torch.save` with ``weights_only=True``; see `read_tensors`.

    What is named like ``passed_over``, "module.name", becomes a `_Nothing`.
    """
    size = check_is_file(path, remedy)
    try:
        strangers = _check_pickles(path, size, passed_over)
        with torch.serialization.safe_globals([(_Nothing, name) for name in sorted(strangers)]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is no PyTorch file, or holds more than tensors, such as code; nothing in it "
            f"was run. Delete it. {remedy}"
        ) from error
    except Exception as error:
        raise ValueError(f"{path} is damaged or cut off: copy it again. {remedy}") from error
    if not isinstance(content, Mapping):
        raise ValueError(  # noqa: TRY004  (it is a file that is wrong, not the kind of an argument)
            f"{path} must hold a state dict, tensors by name, but holds a "
            f"{type(content).__name__}. {remedy}"
        )
    return dict(content)


def read_safetensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read a file of the format safetensors.

    Parameters, returns and errors as for `read_tensors`.
    """
    check_is_file(path, remedy)
    content = path.read_bytes()
    try:
        return load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged, cut off or no safetensors file. {remedy}") from error


def check_is_file(path: Path, remedy: str) -> int:
    """Return the size of a file in bytes.

    Raises
    ------
    OSError
        It is not there or may not be read.
    ValueError
        It is something else, such as a pipe, which would be waited for without end.
    """
    status = path.stat()
    if path.is_fifo() or path.is_socket() or path.is_char_device() or path.is_block_device():
        raise ValueError(f"{path} is no file but a pipe or a device. {remedy}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and must be a file. {remedy}")
    with path.open("rb"):  # says itself if it may not be read
        return status.st_size


def check_tensors(
    path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], remedy: str
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
    remedy : str
        A sentence for the messages: where a good copy of the file comes from.

    Raises
    ------
    ValueError
        A key is missing or one too many, or a tensor has the wrong kind, shape or type, claims
        more numbers than the file holds, or holds NaN or infinite values; the message names the
        file and the key.
    """
    lacking, others = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if lacking or others:
        if not lacking:
            problem = f"must not hold {_some(others)}"
        else:
            instead = f", and holds {_some(others)} instead" if others else ""
            problem = f"lacks {_some(lacking)}{instead}"
        raise ValueError(
            f"{path} {problem}: it belongs to another model or another part of this one, or was "
            f"saved in another way. {remedy}"
        )
    for key, model in expected.items():
        found = _difference(tensors[key], model)
        if found:
            raise ValueError(f"{key!r} in {path} must be a {_kind(model)}, but {found}. {remedy}")


def fill(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Make the tensors of a file those of a network, which may have been made without numbers.

    Laid out as PyTorch lays out its own: others, such as files converted from TensorFlow hold,
    would be copied in every pass, by which EfficientNet-Lite0 takes a fifth longer. Check them
    before, with `check_tensors`.
    """
    network.load_state_dict({n: x.contiguous() for n, x in tensors.items()}, assign=True)


def _some(keys: Iterable[object]) -> str:
    first, *others = sorted(map(_short.repr, keys))
    more = f"{len(others)} more key{'s' if len(others) > 1 else ''}"
    return f"{first} and {more}" if others else first


def holds_its_numbers(tensor: object) -> bool:
    """Tell whether a tensor is a plain one that has as many numbers as its shape says."""
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_nested
        and not tensor.is_quantized
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def _difference(tensor: object, model: Tensor) -> str:
    if not isinstance(tensor, Tensor):
        return f"is a {type(tensor).__name__}"
    if not holds_its_numbers(tensor):
        return "is stored in a form that holds no plain values, or fewer than its shape says"
    if tensor.shape != model.shape or tensor.dtype != model.dtype:
        return f"is a {_kind(tensor)}"
    if not tensor.isfinite().all():
        return "holds NaN or infinite values"
    return ""


def _kind(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{dtype} tensor of shape {tuple(tensor.shape)}"


def existing_folder(folder: str | PathLike[str], holds: str) -> Path:
    """Return a folder's path.

    Raises
    ------
    TypeError
        It is no path.
    FileNotFoundError, NotADirectoryError
        It is not there, or a file; the message goes on with ``holds``, what it should hold.
    """
    if not isinstance(folder, (str, PathLike)):
        raise TypeError(f"folder must be the path of a folder, not {folder!r}.")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file. Give the folder that holds {holds}")
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}. Make one that holds {holds}")
    return folder


def required_file(folder: Path, name: str, remedy: str) -> Path:
    """Return the path of a file in the folder, or say where to get it (FileNotFoundError)."""
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"There is no file {name} in {folder}. {remedy}")
    return path


def _check_pickles(path: Path, size: int, passed_over: re.Pattern[str]) -> set[str]:
    """Look into a file of `torch.save` before it is loaded.

    Returns
    -------
    set of str
        What it refers to that is to be passed over.

    Raises
    ------
    UnpicklingError
        It refers to more than tensors are made of. Some of that torch.load would take, such as
        a bytearray of any length.
    Exception
        It is damaged.
    """
    with path.open("rb") as file:
        first = file.read(len(_ZIP))
        file.seek(0)
        if first != _ZIP:  # pickles, then the numbers: the format before PyTorch 1.6
            if len(first) == len(_ZIP) and not first.startswith(pickle.PROTO):
                raise pickle.UnpicklingError("it does not begin as a pickle does")
            pickles = [_names(file) for _ in range(_LEGACY_PICKLES)]
        else:
            pickles = []
            with zipfile.ZipFile(file) as archive:
                records = archive.infolist()
                if any(record.compress_type != zipfile.ZIP_STORED for record in records):
                    raise zipfile.BadZipFile("torch.save does not compress")
                if sum(record.file_size for record in records) > size:
                    raise zipfile.BadZipFile("records overlap")
                for record in records:
                    if record.filename.endswith(".pkl"):
                        with archive.open(record) as pickled:
                            pickles.append(_names(pickled))
    foreign = {name for names in pickles for name in names if not _is_tensor_part(*name)}
    strangers = {".".join(name) for name in foreign}
    for name in strangers:
        if not passed_over.fullmatch(name):
            raise pickle.UnpicklingError(f"{name} is no part of a state dict")
    return strangers


def _names(file: IO[bytes]) -> set[tuple[str, str]]:
    """Modules and names that the next pickle in a file refers to."""
    return {
        (module, name)
        for operation, argument, _ in pickletools.genops(file)
        if operation.name == "GLOBAL"
        for module, _, name in [str(argument).partition(" ")]
    }


def _is_tensor_part(module: str, name: str) -> bool:
    plain = module in _TENSOR_PARTS and not name.endswith("Tensor")
    return plain and (module != "collections" or name == "OrderedDict")


@contextmanager
def named(path: Path, remedy: str) -> Iterator[Path]:
    """Name the file, and what to do, in errors about what is in it."""
    try:
        yield path
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged: {error}. {remedy}") from error
