"""ES modules joined into one: a widget, and a page without a server, can have only one."""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "(\.{1,2}/[^"]*)";\n', re.MULTILINE)
_DEFAULT = re.compile(r"^export default .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|let|class) (\w+))", re.MULTILINE)


def joined(entry: Path) -> str:
    """Join a module with all that it imports, directly or by way of others.

    Parameters
    ----------
    entry : Path
        Its exports stay exports. It and those that it imports from import only from relative
        addresses, by name (``{ a, b }``) or whole (``* as a``). What a widget's module has for its
        default, in one line, is for anywidget alone.

    Returns
    -------
    str
        Each other module is a constant that holds what it exports; what it does not export is its
        own, whatever it is called.

    Notes
    -----
    The page gets a widget's module as text, without an address that a relative import could
    start from (https://github.com/manzt/anywidget/issues/78).
    """
    order: list[Path] = []
    texts: dict[Path, str] = {}

    def read(path: Path) -> None:
        texts[path] = ""  # a circle is met below: a module before those that it imports from
        text = path.read_text(encoding="utf-8")
        for _, address in _IMPORT.findall(text):
            needed = (path.parent / address).resolve()
            if needed not in texts:
                read(needed)
            elif needed not in order:
                raise ValueError(f"{path.name} and {needed.name} import from each other")
        texts[path] = text
        order.append(path)

    read(entry.resolve())
    names = {path: f"module{i}_{path.stem}" for i, path in enumerate(order)}

    def bound(path: Path, text: str) -> str:
        def constant(match: re.Match[str]) -> str:
            module = names[(path.parent / match[2]).resolve()]
            what = match[1].removeprefix("* as ").replace(" as ", ": ")
            return f"const {what} = {module};\n"

        return _IMPORT.sub(constant, text)

    parts = [_constant(names[path], bound(path, texts[path])) for path in order[:-1]]
    return "\n".join([*parts, bound(order[-1], texts[order[-1]])])


def _constant(name: str, text: str) -> str:
    exported = ", ".join(_EXPORT.findall(text))
    own = _EXPORT.sub("", _DEFAULT.sub("", text))
    return f"const {name} = (() => {{\n{own}\nreturn {{ {exported} }};\n}})();"
