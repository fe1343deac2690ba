"""Puts a page together: one HTML file with its style, its script and its data inside."""

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def assemble(name: str, data: object, **parts: str) -> str:
    """Return a page.

    Args:
        name: of its template, NAME.html; NAME.js beside it, if there is one, goes into the page.
        data: what the script reads, as JSON.
        parts: what replaces `{{part}}` in the template: HTML that is safe already.
    """
    script = _HERE / f"{name}.js"
    given: dict[str, Any] = {
        **parts,
        "style": (_HERE / "style.css").read_text(encoding="utf-8"),
        "script": script.read_text(encoding="utf-8") if script.is_file() else "",
        # No "<" may begin an element of its own; in JSON it may stand as an escape.
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    }
    page = (_HERE / f"{name}.html").read_text(encoding="utf-8")
    for part, text in given.items():
        page = page.replace(f"{{{{{part}}}}}", text)
    return page
