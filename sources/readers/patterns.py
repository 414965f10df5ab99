"""Regular expressions in cards, by RE2: the time one takes grows with the text and with nothing else.

Python's ``re`` (and the ``regex`` module) backtrack: a pattern such as ``(a+)+b``, or an innocent ``\\s*(.*?)\\s*x``, can take hours
over a text that was made for it, or is only odd. A limit of time would make what is read depend on the machine.
"""

from __future__ import annotations

from typing import Annotated, Any

import re2
from pydantic import AfterValidator

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 16 << 20


def compiled(pattern: str, multiline: bool = False) -> Any:
    """A pattern with the methods of Python's: ``search``, ``match``, ``sub``, ``groups``.

    :param multiline: ``^`` and ``$`` match at every line.
    :raises ValueError: it is none, or needs backtracking (looks around, refers back).
    """
    try:
        return re2.compile(f"(?m){pattern}" if multiline else pattern, options=_OPTIONS)
    except (re2.error, UnicodeError, TypeError) as error:
        said = error.args[0] if error.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(
            f"{pattern!r} is no regular expression that RE2 can run: {said} (there is no looking around and no referring back)"
        ) from None


def _checked(pattern: str) -> str:
    compiled(pattern)
    return pattern


#: A regular expression as RE2 has it (https://github.com/google/re2/wiki/Syntax); ``\\d``, ``\\s``, ``\\w`` and ``\\b`` are about ASCII.
Pattern = Annotated[str, AfterValidator(_checked)]
