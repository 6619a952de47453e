"""Closing a widget together with all that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import ipywidgets as w


def made_of(*widgets: w.Widget) -> list[w.Widget]:
    """List widgets and all that their synced traits lead to: children, layouts, layers of maps."""
    found: dict[str, w.Widget] = {}
    waiting = list(widgets)
    while waiting:
        part = waiting.pop()
        if part.model_id not in found:
            found[part.model_id] = part
            # A default that nobody asked for yet is not made in order to be closed.
            values = part._trait_values  # noqa: SLF001
            waiting += _widgets_in([values[name] for name in part.keys if name in values])
    return list(found.values())


def _widgets_in(value: Any) -> Iterator[w.Widget]:  # noqa: ANN401
    if isinstance(value, w.Widget):
        yield value
    elif isinstance(value, dict):
        yield from _widgets_in(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from _widgets_in(item)
