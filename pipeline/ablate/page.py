"""The report of an ablation as one HTML page: no network, no library, everything by keyboard."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

#: The page's script, in this order: what all parts use, then the parts.
SCRIPTS = ("kit.js", "report.js", "answer.js", "runs.js", "losses.js", "fit.js", "front.js", "rest.js")


def page(report: dict[str, Any]) -> bytes:
    """One self-contained page that draws a report.

    The page's policy lets run only the style and the script it was made with, by their digests, and nothing be loaded. What the report
    says travels as JSON and is only ever inserted as text, so a name or a note cannot do anything.

    :param report: what ``wellmix ablate`` found, plain JSON values; weights are shares of one, NaN and infinity count as missing. Parts
        that are missing or empty are said to be so.
    :returns: UTF-8, the same bytes for the same report.
    """
    style = _asset("page.css")
    script = "\n" + "\n".join(map(_asset, SCRIPTS))
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    # ASCII: a lone surrogate in a name cannot be UTF-8. In a script element only "<" can end the data early; JSON may escape it.
    data = json.dumps(_finite(report), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "POLICY": html.escape(policy, quote=False),
        "TITLE": html.escape(f"{report.get('name') or 'Ablation'} - ablation of a mix"),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": data,
    }
    # One pass: what is put in is not searched again.
    text = re.sub(r"@([A-Z]+)@", lambda match: parts[match[1]], _asset("page.html"))
    return text.encode("utf-8", "xmlcharrefreplace")


def _asset(name: str) -> str:
    return files("pipeline.ablate").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content security policy names what may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _finite(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
