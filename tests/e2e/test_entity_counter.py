"""Counts from many callers add up, and documents get numbers without a gap, by processes."""

from concurrent.futures import ThreadPoolExecutor

from tests.processes import Site

CALLERS = 16


def test_counts_of_many_callers_add_up(api: Site) -> None:
    def add(amount: int) -> int:
        return api.send("POST", "/api/counters/e2e-visits", {"amount": amount}).status_code

    with ThreadPoolExecutor(CALLERS) as callers:
        statuses = set(callers.map(add, range(1, 1001)))

    shown = api.read_until("/api/counters/e2e-visits", {"value": 500_500})
    assert statuses == {202}
    assert shown == {"key": "e2e-visits", "value": 500_500}


def test_documents_get_numbers_without_a_gap(api: Site) -> None:
    documents = [f"INV-{n}" for n in range(30)]

    def draw(document: str) -> int:
        started = api.send("POST", "/api/numbers/e2e-invoices", {"document": document})
        number: int = api.ended(started.json()["id"])["output"]["number"]
        return number

    with ThreadPoolExecutor(CALLERS) as callers:
        numbers = list(callers.map(draw, documents * 2))

    assert sorted(set(numbers)) == list(range(1, 31))
    assert numbers[:30] == numbers[30:]
