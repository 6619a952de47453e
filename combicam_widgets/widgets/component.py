"""What a component is: a widget whose traits are its interface, alone or in an explorer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

import ipywidgets as w
import traitlets as T

from combicam_widgets.shown.state import same
from combicam_widgets.widgets._bridge.closing import made_of, whole_or_not_at_all
from combicam_widgets.widgets._bridge.spelling import Spelled, check_options
from combicam_widgets.widgets.held import OneValue, Setting

Wanted = Mapping[str, Any]
Act = Callable[[Wanted], object]


class Component(OneValue, Spelled, w.VBox):
    """A widget that shows one value, of which its traits are fields.

    Alone it keeps the value itself; in an explorer the explorer does, and a trait that is set
    here is a change of the explorer. What a person does on the page is a change too.

    Parameters
    ----------
    values : mapping
        First values of traits, and ``layout``.
    """

    _room: Mapping[str, str] = MappingProxyType({})
    """The layout that it has by itself."""

    @whole_or_not_at_all()
    def __init__(self, values: Wanted) -> None:
        values = dict(values)
        self._act: Act = self._take
        self._hear: Act = self._take
        self._lock: AbstractContextManager[Any] = threading.RLock()
        self._now: dict[str, Any] = {}
        settings = [n for n, t in self.traits().items() if isinstance(t, Setting)]
        check_options(type(self), values, {*settings, "layout"})
        super().__init__(layout=values.pop("layout", None) or w.Layout(**self._room))
        given = {name: trait.default_value for name, trait in self.held().items()}
        self.add_class("ccw-component")
        self._now = given
        self._made()
        wanted: dict[str, Any] = {}
        self._held = wanted
        try:
            for name, value in values.items():
                setattr(self, name, value)
        finally:
            self._held = None
        self._now = {}
        self.show({**given, **self._checked(given, wanted)})

    def value_of(self, name: str) -> Any:  # noqa: ANN401
        """Read a trait: from what is shown, or from what is about to be."""
        if self._held is not None and name in self._held:
            return self._held[name]
        return self._now.get(name)

    def change(self, wanted: Wanted) -> None:
        """Change what is shown; takes effect before it returns, or raises and changes nothing.

        Parameters
        ----------
        wanted : mapping
            Values by the names of traits, checked already.
        """
        if self._held is not None:
            self._held.update(wanted)
        else:
            self._act(wanted)

    def belongs_to(self, act: Act, hear: Act, lock: AbstractContextManager[Any]) -> None:
        """Leave it to somebody else what becomes of changes; they `show` what comes of it.

        Parameters
        ----------
        act : callable
            Called with what is wanted from Python; raises what is wrong with it.
        hear : callable
            Called with what a person did on the page.
        lock : context manager
            Held while a change is taken over: JupyterLab may run the page's messages in a thread
            beside the cells.
        """
        self._act, self._hear, self._lock = act, hear, lock

    def show(self, now: Wanted) -> None:
        """Show a value, whole, in one drawing; observers are not told yet: see `tell`.

        Parameters
        ----------
        now : mapping
            Fields by the names of traits; those that are missing stay.
        """
        before, self._now = self._now, {**self._now, **now}
        try:
            self._draw(before, self._now)
        except BaseException:
            self._now = {}  # the next value is drawn whole
            raise

    def close(self) -> None:
        """Take it off the page, and all that it is made of out of the kernel's memory."""
        if self.comm is not None:
            for widget in made_of(self, *self._aside()):
                w.Widget.close(widget)

    def _take(self, wanted: Wanted) -> None:
        """Keep the value here: change it, show it, tell observers."""
        with self._lock:
            before = dict(self._now)
            wanted = {name: x for name, x in wanted.items() if changed(before, wanted, name)}
            if not wanted:
                return
            now = {**before, **self._checked(before, wanted)}
            try:
                self.show(now)
            except BaseException:
                self.show(before)
                raise
            self.tell({name: before[name] for name in self.held()})

    def _checked(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        try:
            return self._settled(now, wanted)
        except (TypeError, ValueError, IndexError) as error:
            raise T.TraitError(str(error)) from error

    # What each component has of its own.

    def _made(self) -> None:
        """Make what it is made of; the first value is shown after this."""

    def _settled(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        """Return the fields that a change changes, checked and completed; pure."""
        raise NotImplementedError

    def _draw(self, before: Wanted, now: Wanted) -> None:
        """Show a value; what has not changed is not drawn again."""
        raise NotImplementedError

    def _aside(self) -> list[w.Widget]:
        """Return widgets that are not shown at every moment."""
        return []


def changed(before: Wanted, now: Wanted, *names: str) -> bool:
    """Tell whether any of these fields is another one now; what was never shown is."""
    return not all(name in before and same(before[name], now[name]) for name in names)
