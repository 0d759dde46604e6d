"""A page that a link opens shows what is to be decided, and runs nothing but its own script."""

import base64
import hashlib
import json
import re

import azure.functions as func
import pytest

from http_api.pages import decision_page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SHOWN = {
    "role": "lead",
    "payment": {"vendor": "<script>alert(1)</script>", "amount_cents": 250_000, "purpose": ""},
    "doubts": [{"about": "total", "message": "A & B"}],
}


def opened(accept: str = BROWSER) -> func.HttpResponse:
    request = func.HttpRequest("GET", "/", headers={"Accept": accept}, body=b"")
    return decision_page(request, "Decide on <PAY-1>", SHOWN, ["approve", "reject"])


def hash_of(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json, */*"])
def test_other_clients_than_browsers_get_json(accept: str) -> None:
    answer = opened(accept)

    assert answer.mimetype == "application/json"
    assert json.loads(answer.get_body()) == SHOWN


def test_a_browser_gets_all_values_and_a_button_for_each_choice() -> None:
    page = opened().get_body().decode()

    rows = re.findall(r"<tr><th>(.*?)<td>(.*?)(?=<tr>|</table>)", page)
    assert rows == [
        ("role", "lead"),
        ("payment vendor", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("payment amount cents", "250000"),
        ("doubts 1 about", "total"),
        ("doubts 1 message", "A &amp; B"),
    ]
    assert re.findall(r'<button value="(\w+)">\1</button>', page) == ["approve", "reject"]


def test_the_page_may_run_its_own_script_and_load_nothing() -> None:
    answer = opened()

    page = answer.get_body().decode()
    rule = answer.headers["Content-Security-Policy"]
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert rule.startswith("default-src 'none'; ")
    assert f"script-src {hash_of(script)};" in rule
    assert f"style-src {hash_of(style)};" in rule
    assert "unsafe" not in rule
    assert not re.search(r"\b(src|href|on\w+)=", page)


@pytest.mark.parametrize("accept", [BROWSER, "application/json"])
def test_the_address_with_its_token_is_kept_from_caches_and_other_sites(accept: str) -> None:
    headers = opened(accept).headers

    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert headers["X-Content-Type-Options"] == "nosniff"
