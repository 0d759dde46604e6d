"""The path of a blob trigger, `container/{name}.{ext}`, and the blobs that it takes."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]")


@dataclass(frozen=True)
class BlobPath:
    """The blobs that a blob trigger watches."""

    container: str
    prefix: str  # the beginning of the names of all matching blobs
    pattern: re.Pattern[str]

    def takes(self, blob_name: str) -> bool:
        """Whether the trigger watches a blob with this name."""
        return self.pattern.fullmatch(blob_name) is not None

    def parts(self, blob_name: str) -> dict[str, str]:
        """The part of a blob's name for each `{name}` of the path."""
        found = self.pattern.fullmatch(blob_name)
        return found.groupdict() if found else {}


def parse_path(path: str) -> BlobPath:
    """Read a path. Raises ValueError for one that the host rejects."""
    container, slash, blob = path.partition("/")
    if "{" in container:
        raise ValueError(
            f"Invalid blob trigger path '{path}'. "
            "Container paths cannot contain {resolve} tokens."
        )
    if not container or (slash and not blob):
        raise ValueError(
            f"Invalid blob trigger path '{path}'. Paths must be in the format 'container/blob'."
        )
    if not blob:
        return BlobPath(container, "", re.compile(".*", re.DOTALL))
    names: set[str] = set()
    tokens = [_pattern_of(token, path, names) for token in _TOKEN.findall(blob)]
    prefix = ""
    for literal, _ in tokens:
        if literal is None:
            break
        prefix += literal
    return BlobPath(container, prefix, re.compile("".join(pattern for _, pattern in tokens)))


def _pattern_of(token: str, path: str, names: set[str]) -> tuple[str | None, str]:
    """The text of a token without `{name}`, and the pattern for what it matches."""
    if token in ("{{", "}}"):
        return token[0], re.escape(token[0])
    if token in ("{", "}"):
        raise ValueError(f"Invalid template '{path}'. Missing closing or opening bracket.")
    if not token.startswith("{"):
        return token, re.escape(token)
    name = token[1:-1].partition(":")[0]
    if not name.isidentifier():
        raise ValueError(f"Invalid template '{path}'. '{name}' is no parameter name.")
    if name in names:
        return None, ".*"
    names.add(name)
    return None, f"(?P<{name}>.*)"
