"""The sweep is started once, takes another interval, is stopped and started anew, by processes."""

from concurrent.futures import ThreadPoolExecutor

from tests.processes import PATIENCE, Site

HERE = "/api/operations/sweep:ledger"


def test_a_sweep_is_started_once_changed_stopped_and_started_again(api: Site) -> None:
    def start(_: int) -> int:
        every = {"every_minutes": 30}
        return api.send("POST", "/api/sweeps", every).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(start, range(8), timeout=PATIENCE))
    first = api.at_step("sweep:ledger", "waiting")
    api.send("POST", f"{HERE}/events/IntervalChanged", {"every_minutes": 7})
    api.send("POST", f"{HERE}/cancel?reason=moving")
    stopped = api.ended("sweep:ledger")

    assert codes == [202] * 8
    assert first["customStatus"]["beats"] == 1
    assert stopped["customStatus"]["every_minutes"] == 7
    assert stopped["output"] == {"beats": 1, "changes": 1, "reason": "moving"}

    start(0)
    again = api.at_step("sweep:ledger", "waiting")
    api.send("POST", f"{HERE}/cancel")
    ended = api.ended("sweep:ledger")

    assert again["customStatus"]["changes"] == 0
    assert ended["output"]["beats"] == 1
