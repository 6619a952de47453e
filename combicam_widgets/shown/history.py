"""Undo and redo: the states that were, and where in them one stands."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """A bounded line of states with a present one; what lies before can be undone.

    States are compared by ``==`` and never changed; give copies of what may change.

    Parameters
    ----------
    limit : int
        Largest number of steps that can be undone, >= 1; older ones are forgotten.

    Examples
    --------
    >>> history = History()
    >>> for state in (1.0, 1.1, 1.2):
    ...     history.push(state, gesture="drag 1")
    >>> history.push(0.0)
    >>> history.undo(), history.undo(), history.can_undo
    (1.2, 1.0, False)
    >>> history.redo()
    1.2
    """

    def __init__(self, limit: int = 100) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}.")
        self._limit = limit
        self._states: list[State] = []
        self._gestures: list[str | None] = []
        self._present = -1

    def copy(self) -> History[State]:
        """Return another history with the same states, to go on with."""
        other = History[State](self._limit)
        other._states, other._gestures = self._states.copy(), self._gestures.copy()
        other._present = self._present
        return other

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before the present one."""
        return self._present > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone state after the present one."""
        return self._present + 1 < len(self._states)

    def push(self, state: State, gesture: str | None = None) -> None:
        """Make a state the present one; what was undone before is forgotten.

        Parameters
        ----------
        state : State
            The first one given is where undoing ends. One that equals the present one is ignored:
            so what `undo` and `redo` give may be pushed again.
        gesture : str, optional
            Consecutive pushes with the same gesture are one step, unless `undo` or `redo` came
            between them. A gesture that ends where it began leaves no step.
        """
        if self._states and state == self._states[self._present]:
            return
        del self._states[self._present + 1 :], self._gestures[self._present + 1 :]
        # The first state is where the gesture began, so it stays.
        if gesture is not None and self.can_undo and gesture == self._gestures[-1]:
            del self._states[-1], self._gestures[-1]
        if not self._states or state != self._states[-1]:
            self._states.append(state)
            self._gestures.append(gesture)
        del self._states[: -self._limit - 1], self._gestures[: -self._limit - 1]
        self._present = len(self._states) - 1

    def undo(self) -> State:
        """Step back; gives the state that is present then.

        Raises
        ------
        LookupError
            There is nothing to undo; see `can_undo`.
        """
        if not self.can_undo:
            raise LookupError("There is nothing to undo.")
        return self._step(-1)

    def redo(self) -> State:
        """Step forward again; gives the state that is present then.

        Raises
        ------
        LookupError
            There is nothing to redo; see `can_redo`.
        """
        if not self.can_redo:
            raise LookupError("There is nothing to redo.")
        return self._step(+1)

    def _step(self, by: int) -> State:
        self._present += by
        self._gestures[self._present] = None  # the gesture has ended: nothing more merges with it
        return self._states[self._present]
