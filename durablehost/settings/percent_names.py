"""`%NAME%` in a binding stands for the setting NAME."""

from collections.abc import Mapping


def setting(environ: Mapping[str, str], name: str) -> str | None:
    """The setting of this name; case does not matter to the host."""
    if name in environ:
        return environ[name]
    return next((environ[key] for key in environ if key.lower() == name.lower()), None)


def resolve(text: str, environ: Mapping[str, str]) -> str:
    """Put settings in place of `%NAME%`; raises ValueError in the host's words."""
    resolved, rest = "", text
    while "%" in rest:
        before, _, rest = rest.partition("%")
        name, closing, rest = rest.partition("%")
        if not closing:
            start = len(text) - len(name) - 1
            raise ValueError(f"The '%' at position {start} does not have a closing '%'")
        value = setting(environ, name)
        if value is None:
            raise ValueError(f"'%{name}%' does not resolve to a value.")
        resolved += before + value
    return resolved + rest
