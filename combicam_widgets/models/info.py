"""What is known about a model before it is loaded, and the table of all models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape

_HEADINGS = ("Model", "Kind", "Layers", "Cells", "Input", "Size")
_NUMBERS = ("Layers", "Cells", "Size")
"""Columns whose entries are flush right."""

_UNKNOWN = "?"


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The facts about a model that can be read without loading it.

    It stands as ``INFO`` beside the code of each model. Facts that are not known are None or "".

    Attributes
    ----------
    name : str
        What `load_model` calls it.
    summary : str
        One line: what it is and what it is for.
    kind : str
        What sort of model, in a few words.
    layers : int or None
        Number of layers that are explained.
    cells : int or None
        C, the number of cells.
    input : str
        What the network sees, with the size that a square photo gets, such as
        "224 x 224 px, whole photo".
    megabytes : float or None
        Size of all files that are read to load it, in MB (10^6 bytes).
    weights_licence, data_licence : str
        Licences of the weights, and of the cells and other data.
    needs : str
        What to give as ``weights``, and where to get it; "" if nothing is needed.
    error : str
        Why it cannot be loaded; "" if nothing speaks against it.

    Raises
    ------
    TypeError
        A text is no str, or a number is no number.
    ValueError
        Name or summary is empty, or a number is not positive.
    """

    name: str
    summary: str
    kind: str = ""
    layers: int | None = None
    cells: int | None = None
    input: str = ""
    megabytes: float | None = None
    weights_licence: str = ""
    data_licence: str = ""
    needs: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        for field in ("layers", "cells", "megabytes"):
            value = getattr(self, field)
            kinds = (int, float) if field == "megabytes" else int
            if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
                raise TypeError(f"{field} must be a number or None, not {value!r}.")
            if value is not None and not value > 0:
                raise ValueError(f"{field} must be positive, not {value!r}.")
        for field, value in vars(self).items():
            if field not in {"layers", "cells", "megabytes"} and not isinstance(value, str):
                raise TypeError(f"{field} must be a str, not {value!r}.")
            if field in {"name", "summary"} and not value.strip():
                raise ValueError(f"{field} must not be empty.")

    @property
    def ready(self) -> bool:
        """Whether ``load_model(name)`` alone is enough."""
        return not self.needs and not self.error

    @property
    def licence(self) -> str:
        """The licences in one line, such as "weights: Apache-2.0; data: CC-BY-4.0"."""
        parts = {"weights": self.weights_licence, "data": self.data_licence}
        return "; ".join(f"{what}: {licence}" for what, licence in parts.items() if licence)

    @property
    def remark(self) -> str:
        """What stands in the way of loading it by name alone; "" if nothing does."""
        if self.error:
            return f"cannot be loaded: {self.error}"
        return f"needs weights: {self.needs}" if self.needs else ""


class ModelList(Mapping[str, ModelInfo]):
    """Read-only mapping from the name of each model to its `ModelInfo`; shown as a table.

    Parameters
    ----------
    models : iterable of ModelInfo
        In the order of the table.
    """

    def __init__(self, models: Iterable[ModelInfo]) -> None:
        self._models = {info.name: info for info in models}

    def __getitem__(self, name: str) -> ModelInfo:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __repr__(self) -> str:
        """Write a table; below each row, what does not fit into columns."""
        rows = [_HEADINGS, *(_row(info) for info in self.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [_line(rows[0], widths)]
        for row, info in zip(rows[1:], self.values(), strict=True):
            lines.append(_line(row, widths))
            lines += [" " * (widths[0] + 2) + note for note in _notes(info)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Write an HTML table with a caption and headings of rows and columns, all escaped."""
        head = "".join(f'<th scope="col">{title}</th>' for title in (*_HEADINGS, "What it is"))
        body = []
        for info in self.values():
            name, *facts = (escape(text) for text in _row(info))
            cells = [
                _cell(text, "right" if title in _NUMBERS else "left")
                for title, text in zip(_HEADINGS[1:], facts, strict=True)
            ]
            cells.append(_cell("<br>".join(map(escape, _notes(info))), "left"))
            body.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
        return (
            "<table><caption>Models for load_model(name)</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )


def _row(info: ModelInfo) -> tuple[str, ...]:
    texts = (
        info.name,
        info.kind,
        "" if info.layers is None else f"{info.layers:,}",
        "" if info.cells is None else f"{info.cells:,}",
        info.input,
        "" if info.megabytes is None else f"{info.megabytes:.1f} MB",
    )
    return tuple(" ".join(text.split()) or _UNKNOWN for text in texts)


def _notes(info: ModelInfo) -> list[str]:
    return [" ".join(text.split()) for text in (info.summary, info.licence, info.remark) if text]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        text.rjust(width) if title in _NUMBERS else text.ljust(width)
        for title, text, width in zip(_HEADINGS, row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _cell(text: str, side: str) -> str:
    # Notebooks align cells to the right unless told.
    return f'<td style="text-align:{side}">{text}</td>'
