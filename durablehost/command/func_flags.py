"""The flags of `func start` that durablehost does not take, and what to use instead."""

from collections.abc import Iterable
from typing import Final

_HTTP_ONLY: Final = "durablehost serves plain HTTP; put a TLS proxy in front of it."
_FOLDER: Final = "write the app's folder after `start`."
_NOT_NEEDED: Final = "leave it out."
_INSTEAD: Final = {
    "--enableauth": "use `--auth KEYS.json`.",
    "--usehttps": _HTTP_ONLY,
    "--cert": _HTTP_ONLY,
    "--password": _HTTP_ONLY,
    "--script-root": _FOLDER,
    "--prefix": _FOLDER,
    "--language-worker": "run `python -m debugpy --listen 5678 -m durablehost start`.",
    "--timeout": _NOT_NEEDED,
    "-t": _NOT_NEEDED,
    "--no-build": _NOT_NEEDED,
    "--runtime": _NOT_NEEDED,
    "--dotnet-isolated-debug": _NOT_NEEDED,
    "--enable-json-output": _NOT_NEEDED,
    "--json-output-file": _NOT_NEEDED,
}


def instead_of(words: Iterable[str]) -> str:
    """What to use instead of the flags of `func start` among these words; empty if none is."""
    flags = dict.fromkeys(word.partition("=")[0] for word in words)
    return " ".join(
        f"Instead of {flag}, {_INSTEAD[flag.lower()]}" for flag in flags if flag.lower() in _INSTEAD
    )
