"""What a decision link shows: a page with buttons to a browser, and JSON to other clients."""

import base64
import hashlib
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import azure.functions as func

from http_api.answers import json_answer

_STYLE: Final = (
    "body{font:16px sans-serif;margin:2em auto;max-width:42em;padding:0 1em}"
    "th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0}"
    "textarea{display:block;width:100%;height:5em;margin:1em 0}"
    "button{font:inherit;padding:.4em 1.5em;margin-right:1em}output{display:block;margin:1em 0}"
)
# The page sends the decision to its own URL, which contains the token and the key.
_SCRIPT: Final = """
const output = document.querySelector('output');
const comment = document.querySelector('textarea');
const buttons = [...document.querySelectorAll('button')];
const enable = (is) => buttons.forEach((button) => { button.disabled = !is; });
const decide = async (decision) => {
  const headers = {'Content-Type': 'application/json'};
  const body = JSON.stringify({decision, comment: comment.value});
  const answer = await fetch(location.href, {method: 'POST', headers, body});
  if (answer.ok) return `Your decision was accepted: ${decision}.`;
  enable(true);
  return answer.json().then((problem) => problem.detail, () => `Status ${answer.status}.`);
};
buttons.forEach((button) => button.addEventListener('click', async () => {
  enable(false);
  output.textContent = await decide(button.value).catch(() => {
    enable(true);
    return 'The app does not answer. Try again.';
  });
}));
"""


def _source_of(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# For both forms: the content is confidential, and the URL contains the token.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_HEADERS: Final = {
    **_HEADERS,
    "Content-Security-Policy": f"default-src 'none'; script-src {_source_of(_SCRIPT)}; "
    f"style-src {_source_of(_STYLE)}; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


def decision_page(
    req: func.HttpRequest, title: str, shown: Mapping[str, Any], choices: Sequence[str]
) -> func.HttpResponse:
    """Return what is to be decided; for a browser, as a page with a button for each choice."""
    if "text/html" not in req.headers.get("Accept", ""):
        return json_answer(shown, headers=_HEADERS)
    rows = "".join(
        f"<tr><th>{html.escape(name)}<td>{html.escape(text)}" for name, text in _rows("", shown)
    )
    buttons = "".join(
        f'<button value="{html.escape(choice)}">{html.escape(choice)}</button>'
        for choice in choices
    )
    page = (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><table>{rows}</table>"
        f'<textarea aria-label="comment" placeholder="comment"></textarea>{buttons}'
        f"<output></output><script>{_SCRIPT}</script>"
    )
    return func.HttpResponse(page, headers=_PAGE_HEADERS, mimetype="text/html", charset="utf-8")


def _rows(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the simple values in some JSON, each with the path to it."""
    inner: list[tuple[str, object]] = []
    if isinstance(value, Mapping):
        inner = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        inner = [(str(number), each) for number, each in enumerate(value, 1)]
    elif value not in (None, ""):
        yield name.replace("_", " "), str(value)
    for key, each in inner:
        yield from _rows(f"{name} {key}".strip(), each)
