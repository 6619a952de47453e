"""What a page can fuse by itself."""

from __future__ import annotations

from combicam_widgets.cam.rules import get_rule

RULES = ("sum", "mean", "max", "layercam", "product", "winsor")
"""Fusion rules that a page knows too, those of `fusion.js`."""

_OURS = {name: get_rule(name) for name in RULES}


def page_knows(rule: str) -> bool:
    """Tell whether a page makes of a rule what Python makes: it may have been replaced there."""
    return rule in _OURS and get_rule(rule) is _OURS[rule]
