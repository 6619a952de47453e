"""Pages in one file that can load nothing: no kernel, no internet, no other file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path

_SEALED = Path(__file__).parent / "static" / "sealed.html"


def sealed(*, title: str, body: str, style: str, script: str, data: object) -> str:
    """Write a page whose content security policy knows this script and this style, and no other.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML; what comes from outside is escaped already.
    style, script : str
    data : object
        JSON, which the script finds in the element ``data``.
    """
    return filled(
        _SEALED,
        title=escape(title),
        body=body,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        # No text in it can break out of its element.
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )


def filled(template: Path, **texts: str) -> str:
    """Put texts into a template, in one go: what is put in is not looked at again."""
    text = template.read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: texts[match[1]], text)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
