"""Who wants to know that something was registered; menus grow by this."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod


class Listeners:
    """Methods that are called at a change, for as long as their objects live."""

    def __init__(self) -> None:
        self._methods: list[WeakMethod[Callable[[], None]]] = []

    def __call__(self, told: Callable[[], None]) -> None:
        """Call a method at each change from now on."""
        self._methods.append(WeakMethod(told))

    def tell(self) -> None:
        """Call all."""
        self._methods[:] = [listener for listener in self._methods if listener() is not None]
        for listener in self._methods:
            if told := listener():
                told()
