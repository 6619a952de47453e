"""Menus of fusion rules, CAM methods and scores, which grow when somebody registers their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from combicam_widgets import cam
from combicam_widgets.cam.methods import when_methods_change
from combicam_widgets.cam.rules import when_rules_change
from combicam_widgets.cam.scores import when_scores_change


class _GrowingMenu(w.Dropdown):
    """Offers all names there are, also those registered after it was made."""

    def __init__(
        self,
        names: Callable[[], tuple[str, ...]],
        when_they_change: Callable[[Callable[[], None]], None],
        **options: Any,  # noqa: ANN401
    ) -> None:
        self._growing = False
        self._names = names
        super().__init__(options=list(names()), **options)
        when_they_change(self._offer)

    def show(self, name: str) -> None:
        """Select a name, which maps from elsewhere may have though nobody registered it here."""
        self._offer(name)
        self.value = name

    def _offer(self, *more: str) -> None:
        offered: tuple[str, ...] = tuple(self.options)  # type: ignore[has-type]
        names = tuple(dict.fromkeys([*offered, *self._names(), *more]))
        if names == offered:
            return
        # Dropdowns select the first of new options; here the one that is selected stays so.
        self._growing = True
        try:
            self.options = names
            self.index = names.index(self.value)
        finally:
            self._growing = False

    def notify_change(self, change: Any) -> None:  # noqa: ANN401
        """Keep still about the selection while the menu grows: it is the same afterwards."""
        if not (self._growing and change["name"] in {"index", "label", "value"}):
            super().notify_change(change)


class RuleMenu(_GrowingMenu):
    """Offers every fusion rule."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(cam.rule_names, when_rules_change, **options)


class MethodMenu(_GrowingMenu):
    """Offers every CAM method."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(cam.method_names, when_methods_change, **options)


class ScoreMenu(_GrowingMenu):
    """Offers every score."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(cam.score_names, when_scores_change, **options)
