"""Style sheets of components, with what all of them share."""

from __future__ import annotations

from pathlib import Path

_SHARED = Path(__file__).parents[1] / "component.css"


def styles(path: Path) -> str:
    """Read a style sheet, and the one that all components share."""
    return "".join(each.read_text(encoding="utf-8") for each in (path, _SHARED))
