"""The target of a request as Kestrel reads it: the decoded path and the query parameters."""

import re
from urllib.parse import quote

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# A slash escaped in a path stays escaped, so that it never parts two segments.
_ESCAPED_BUT_SLASH = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def split_target(target: str) -> tuple[str, str]:
    """The raw path, and the raw query with its question mark."""
    if origin := _ORIGIN.match(target):
        target = target[origin.end() :] or "/"
    path, mark, query = target.partition("?")
    return path, mark + query


def decoded_path(raw_path: str) -> str:
    """The path as routes see it, without escapes and dot segments."""
    path = _ESCAPED_BUT_SLASH.sub(_decode, raw_path) if "%" in raw_path else raw_path
    return _without_dots(path) if "/." in path else path


def encoded_path(path: str) -> str:
    """A decoded path as in the URL that a function receives."""
    kept = _STRAY_PERCENT.sub("%25", path)
    return quote(kept, safe="/-._~!$&'()*+,;=:@%", errors="surrogateescape")


def query_parameters(raw_query: str) -> dict[str, str]:
    """The parameters that a function receives. Names ignore case; commas join repeated ones.

    A parameter without a value is left out, as the host leaves it out for Python.
    """
    joined: dict[str, tuple[str, list[str]]] = {}
    for pair in raw_query.removeprefix("?").split("&"):
        name, _, value = pair.partition("=")
        if pair:
            spelling = _decoded(name)
            _, values = joined.setdefault(spelling.lower(), (spelling, []))
            values.append(_decoded(value))
    return {name: ",".join(filter(None, values)) for name, values in joined.values() if any(values)}


def first_parameter(raw_query: str, name: str) -> str | None:
    """The first value of a parameter, as for keys, or None."""
    for pair in raw_query.removeprefix("?").split("&"):
        found, _, value = pair.partition("=")
        if pair and _decoded(found).lower() == name:
            return _decoded(value)
    return None


def _decoded(text: str) -> str:
    return _ESCAPED.sub(_decode, text.replace("+", " "))


def _decode(match: re.Match[str]) -> str:
    """Several escapes as text. Bytes that are not UTF-8 stay escaped."""
    escaped = match[0]
    text = bytes.fromhex(escaped.replace("%", "")).decode("utf-8", "surrogateescape")
    out, at = [], 0
    for char in text:
        stays = "\udc80" <= char <= "\udcff"
        out.append(escaped[3 * at : 3 * at + 3] if stays else char)
        at += 1 if stays else len(char.encode())
    return "".join(out)


def _without_dots(path: str) -> str:
    """Resolve `.` and `..`. A path cannot leave the root."""
    *parents, last = path.split("/")[1:]
    kept: list[str] = []
    for segment in parents:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if last == "..":
        del kept[-1:]
    return "/" + "/".join([*kept, "" if last in (".", "..") else last])
