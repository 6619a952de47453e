"""Traits that are fields of the one value that a widget shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import traitlets as T

from combicam_widgets.shown.state import same
from combicam_widgets.widgets.traits import Coerced


class Held(T.TraitType[Any, Any]):
    """A trait whose value is a field of the one value that its widget shows.

    Nothing is kept in the trait: it cannot say something else than the page.
    """

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ANN401, ARG002
        """Read the field."""
        return obj.value_of(self.name)


class Setting(Held, Coerced):
    """A trait that may be set: a change of the value that is shown."""

    def set(self, obj: Any, value: object) -> None:  # noqa: ANN401
        """Ask for a change, which takes effect at once, or raises and changes nothing."""
        obj.change({self.name: self._validate(obj, value)})


class Result(Held):
    """A trait that follows from the others."""

    def __init__(self) -> None:
        super().__init__(read_only=True)

    def set(self, obj: Any, value: object) -> None:  # noqa: ANN401, ARG002
        """Refuse."""
        raise T.TraitError(f"{self.name} follows from the other traits and cannot be set.")


class OneValue(T.HasTraits):
    """A widget whose `Held` traits are fields of one value: what is set together is one change."""

    _held: dict[str, Any] | None = None
    """What is set meanwhile, while changes are held."""

    def held(self) -> dict[str, Held]:
        """Return the traits that are fields of the value, by name."""
        return {name: trait for name, trait in self.traits().items() if isinstance(trait, Held)}

    def value_of(self, name: str) -> Any:  # noqa: ANN401
        """Read a trait."""
        raise NotImplementedError

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Change what is shown; takes effect before it returns, or raises and changes nothing.

        Parameters
        ----------
        wanted : mapping
            Values by the names of traits, checked already.
        """
        raise NotImplementedError

    def update(self, **values: Any) -> None:  # noqa: ANN401
        """Set several traits in one change, in any order; none of them if one is refused."""
        with self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self, name, value)

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Make one change of all assignments in the ``with`` block; none if it raises."""
        if self._held is not None:
            yield
            return
        self._held = {}
        try:
            with super().hold_trait_notifications():
                yield
            wanted = self._held
        finally:
            self._held = None
        if wanted:
            self.change(wanted)

    def tell(self, before: Mapping[str, Any]) -> None:
        """Tell observers what has changed, unless one of them has changed it again.

        Whatever an observer raises is raised when all have heard.

        Parameters
        ----------
        before : mapping
            What the traits were.
        """
        failed: list[Exception] = []
        after = {name: self.value_of(name) for name in before}
        for name, new in after.items():
            old = before[name]
            if same(old, new) or not same(new, self.value_of(name)):
                continue
            change = {"name": name, "old": old, "new": new, "owner": self, "type": "change"}
            try:
                self.notify_change(T.Bunch(change))
            except Exception as error:  # noqa: BLE001  (raised below, when all have heard)
                failed.append(error)
        if failed:
            raise failed[0]
