"""Closing a widget together with all that it is made of, or what was made of it when that fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as w
from ipywidgets.widgets.widget import _instances


@contextmanager
def whole_or_not_at_all() -> Iterator[None]:
    """Close the widgets that were made in the ``with`` block if it raises, be it an interrupt.

    ipywidgets keeps every widget that has not been closed, also those that a constructor made
    before it failed, to which nobody has a reference.
    """
    before = set(_instances)
    try:
        yield
    except BaseException:
        for name, widget in tuple(_instances.items()):
            if name not in before:
                w.Widget.close(widget)
        raise


def made_of(*widgets: w.Widget) -> list[w.Widget]:
    """List widgets and all that their synced traits lead to: children, layouts, layers of maps."""
    found: dict[int, w.Widget] = {}  # by identity: what is closed already has no model any more
    waiting = list(widgets)
    while waiting:
        part = waiting.pop()
        if id(part) not in found:
            found[id(part)] = part
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
