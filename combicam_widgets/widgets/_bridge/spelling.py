"""Widgets that refuse what no page would ever show: names that are misspelt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as w
import traitlets as T
from traitlets.traitlets import parse_notifier_name

from combicam_widgets.labels import did_you_mean

_OURS = __name__.partition(".")[0] + "."


class Spelled(w.Widget):
    """A widget whose misspelt traits are refused, where Python would take any name.

    A subclass from elsewhere may keep what it likes. Names with an underscore are never looked at.
    """

    def __setattr__(self, name: str, value: object) -> None:
        """Set what there is to set.

        Raises
        ------
        AttributeError
            There is no such trait, or it is a method that is to be called.
        """
        kind = type(self)
        if name[:1] != "_" and kind.__module__.startswith(_OURS):
            known = getattr(kind, name, None)
            if known is None and not hasattr(kind, name):
                settable = [n for n, trait in self.traits().items() if not trait.read_only]
                raise AttributeError(no_such(kind, "trait", name, settable))
            if callable(known) and not callable(value):
                raise AttributeError(f"{kind.__name__}.{name} is a method: call {name}(...).")
        super().__setattr__(name, value)

    def observe(
        self,
        handler: Callable[..., Any],
        names: Any = T.All,  # noqa: ANN401
        type: Any = "change",  # noqa: A002, ANN401
    ) -> None:
        """Call a function when traits change, as traitlets does.

        Raises
        ------
        AttributeError
            There is no such trait: the function would never be called.
        """
        for name in parse_notifier_name(names):
            if isinstance(name, str) and not self.has_trait(name):
                raise AttributeError(no_such(self.__class__, "trait", name, self.trait_names()))
        super().observe(handler, names, type)


def check_options(kind: type, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keyword arguments that a widget does not have.

    Raises
    ------
    TypeError
        The first one, with what may have been meant.
    """
    if unknown := sorted(set(given) - set(known)):
        raise TypeError(no_such(kind, "option", unknown[0], known))


def no_such(kind: type, what: str, name: str, known: Iterable[str]) -> str:
    """Say that a widget has nothing of a name: what was meant, or all that there is."""
    public = sorted(each for each in known if not each.startswith("_"))
    hint = did_you_mean(name, public) or f" The {what}s are {', '.join(public)}."
    return f"{kind.__name__} has no {what} {name!r:.60}.{hint}"
