"""Replaces `%NAME%` by the setting NAME, in triggers, connections and `hubName`."""

from collections.abc import Mapping


def setting(environ: Mapping[str, str], name: str) -> str | None:
    """The setting of this name, or None. The host ignores upper and lower case."""
    if name in environ:
        return environ[name]
    return next((environ[key] for key in environ if key.lower() == name.lower()), None)


def resolve(text: str, environ: Mapping[str, str]) -> str:
    """Replace each `%NAME%` by its setting. Raises ValueError with the host's message.

    The rules are those of the host's `INameResolver`: all text between two percent signs
    is a name, there is no escape for a percent sign, and a value is not resolved again.
    """
    resolved, rest = "", text
    while "%" in rest:
        before, _, rest = rest.partition("%")
        name, closing, rest = rest.partition("%")
        if not closing:
            start = len(text) - len(name) - 1
            raise ValueError(f"The '%' at position {start} does not have a closing '%'")
        value = setting(environ, name) if name else None
        if value is None:
            raise ValueError(f"'%{name}%' does not resolve to a value.")
        resolved += before + value
    return resolved + rest
