"""The menu of fusion rules, which grows when somebody registers a rule of their own."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from combicam_widgets import cam
from combicam_widgets.cam.rules import when_rules_change


class RuleMenu(w.Dropdown):
    """Offers every fusion rule there is, also those registered after it was made."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        self._growing = False
        super().__init__(options=list(cam.rule_names()), **options)
        when_rules_change(self._offer)

    def _offer(self) -> None:
        offered: tuple[str, ...] = tuple(self.options)  # type: ignore[has-type]
        names = *offered, *(name for name in cam.rule_names() if name not in offered)
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
