"""JSON as .NET reads it: the durable extension accepts more than the standard allows.

Comments, strings in single quotes, names without quotes, commas after the last item, and line
breaks in strings are accepted, and so are `NaN` and `Infinity`.
"""

import json
import re
from typing import Any

_STRING = r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'"
_COMMENT = r"//[^\n]*|/\*.*?\*/"
_COMMENTS = re.compile(rf"({_STRING})|{_COMMENT}", re.DOTALL)
_OTHERS = re.compile(rf"({_STRING})|,(?=\s*[\]}}])|([A-Za-z_$][\w$]*)(?=\s*:)", re.DOTALL)
_LEADING_COMMENT = re.compile(r"\s*/\*(.*?)\*/|\s*//([^\n]*)", re.DOTALL)


def leading_comment(text: str) -> str:
    """The comment at the beginning of a text, or an empty text.

    The extension takes such a comment for the whole value, and cannot read it afterwards.
    """
    found = _LEADING_COMMENT.match(text)
    return f"/*{found[1] or found[2] or ''}*/" if found else ""


def _standard_json(text: str) -> str:
    """The same value in standard JSON, except for `NaN` and line breaks in strings."""
    return _OTHERS.sub(_standard, _COMMENTS.sub(lambda found: found[1] or " ", text))


def _standard(found: re.Match[str]) -> str:
    string, name = found[1], found[2]
    if name:
        return json.dumps(name)
    if not string:
        return ""  # a comma after the last item
    return string if string.startswith('"') else _in_double_quotes(string[1:-1])


def _in_double_quotes(content: str) -> str:
    quoted = re.sub(r"\\(.)|\"", lambda found: _escape(found[1]), content, flags=re.DOTALL)
    return f'"{quoted}"'


def _escape(escaped: str | None) -> str:
    if escaped is None:
        return r"\""
    return "'" if escaped == "'" else f"\\{escaped}"


def value_of_dotnet_json(text: str, **options: Any) -> Any:
    """The value of a text. Raises ValueError if .NET cannot read it either."""
    return json.loads(_standard_json(text), strict=False, parse_constant=str, **options)
