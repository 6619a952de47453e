"""Methods and rules that people registered, as one value: so that another machine has them, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from combicam_widgets.cam import methods, rules


@dataclass(frozen=True, eq=False)
class Registered:
    """CAM methods and fusion rules that are not built in.

    Attributes
    ----------
    methods : mapping from name to function
        See `cam.method`.
    rules : mapping from name to FusionRule
        See `cam.fusion_rule`.
    """

    methods: Mapping[str, methods.MapOf]
    rules: Mapping[str, rules.FusionRule]

    @classmethod
    def among(cls, method_names: Iterable[str], rule_names: Iterable[str]) -> Registered:
        """Pick out of some names those that somebody registered."""
        own = {name: methods.own(name) for name in method_names}
        return cls(
            {name: map_of for name, map_of in own.items() if map_of is not None},
            {name: rules.get_rule(name) for name in rule_names if not rules.is_built_in(name)},
        )

    def register(self) -> None:
        """Register them here; what is the same already is left alone."""
        for name, map_of in self.methods.items():
            if methods.own(name) is not map_of:
                methods.method(name)(map_of)
        for name, rule in self.rules.items():
            if name not in rules.rule_names() or rules.get_rule(name) != rule:
                rules.fusion_rule(name, rule.summary, rule.contributions)(rule.combine)
