"""Rates are found while a partner fails, which is then left alone, over HTTP, by processes."""

from tests.processes import Site

SLOW = {"on": "rates", "about": "JPY", "slow_ms": 5000}


def test_rates_are_found_though_a_partner_fails_and_one_currency_is_unknown(
    api: Site, world: Site
) -> None:
    fault = {"on": "rates", "about": "CHF", "fail_next": 1}
    assert world.send("POST", "/faults", fault).ok
    wanted = {"date": "2026-03-31", "currencies": ["USD", "CHF", "XXX"]}

    answers = [api.send("POST", "/api/rates", wanted) for _ in range(2)]
    operation = api.ended(answers[0].json()["id"])

    partners = {rate["currency"]: rate["partner"] for rate in operation["output"]["rates"]}
    assert answers[0].status_code == 202
    assert partners == {"CHF": "centralbank", "USD": "rates"}
    assert [each["code"] for each in operation["output"]["failures"]] == ["currency_unknown"]


def test_a_slow_partner_is_not_waited_for_and_counts_as_failing(api: Site, world: Site) -> None:
    assert world.send("POST", "/faults", SLOW).ok
    wanted = {"date": "2026-03-31", "currencies": ["JPY"]}

    started = api.send("POST", "/api/rates", wanted)
    operation = api.ended(started.json()["id"])

    assert operation["output"]["rates"][0]["partner"] == "centralbank"
    assert api.send("GET", "/api/breakers/rates").json()["failures"] >= 1
    assert world.send("DELETE", "/faults").ok
