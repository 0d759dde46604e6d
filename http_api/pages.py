"""What a decision link shows: to a browser a page that sends a decision, to all others JSON."""

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
# The page is at the address that takes the decision, token and key included.
_SCRIPT: Final = """
const said = document.querySelector('output');
const comment = document.querySelector('textarea');
const buttons = [...document.querySelectorAll('button')];
const able = (is) => buttons.forEach((button) => { button.disabled = !is; });
const decide = async (decision) => {
  const headers = {'Content-Type': 'application/json'};
  const body = JSON.stringify({decision, comment: comment.value});
  const answer = await fetch(location.href, {method: 'POST', headers, body});
  if (answer.ok) return `Your decision is taken: ${decision}.`;
  able(true);
  return answer.json().then((problem) => problem.detail, () => `The answer is ${answer.status}.`);
};
buttons.forEach((button) => button.addEventListener('click', async () => {
  able(false);
  said.textContent = await decide(button.value).catch(() => {
    able(true);
    return 'There is no answer: try again.';
  });
}));
"""


def _named(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# Of both forms: what is to be decided is confidential, and the address holds the token.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE_HEADERS: Final = {
    **_HEADERS,
    "Content-Security-Policy": f"default-src 'none'; script-src {_named(_SCRIPT)}; "
    f"style-src {_named(_STYLE)}; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


def decision_page(
    req: func.HttpRequest, title: str, shown: Mapping[str, Any], choices: Sequence[str]
) -> func.HttpResponse:
    """Show what is to be decided, to a browser with a button for each choice."""
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
    """The values of some JSON that are no objects or lists, each with the way to it."""
    inner: list[tuple[str, object]] = []
    if isinstance(value, Mapping):
        inner = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        inner = [(str(number), each) for number, each in enumerate(value, 1)]
    elif value not in (None, ""):
        yield name.replace("_", " "), str(value)
    for key, each in inner:
        yield from _rows(f"{name} {key}".strip(), each)
