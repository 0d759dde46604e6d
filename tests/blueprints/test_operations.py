"""Operations: callers see and steer what they started, and never the host behind it."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from blueprints.chaining import RETRY
from blueprints.operations import OPEN_EVENTS
from blueprints.versioning import GOODS_EVENT
from durablehost.testing import Answer, ManualHub
from orchestration.cancel_rules import CANCEL_EVENT
from orchestration.failures import Failure

INVOICE = {
    "vendor": "acme",
    "number": "INV-1",
    "order": "PO-1001",
    "amount_cents": 12_500,
    "currency": "EUR",
}
ID = "intake:acme:INV-1"
HERE = f"/api/operations/{ID}"
UNAVAILABLE = Failure("orders_unavailable", "the orders answered 503", retriable=True)


@pytest.fixture
def steps(hub: ManualHub) -> None:
    """Activities that reach nobody."""
    hub.replace_activity("match_order", lambda invoice: invoice)
    hub.replace_activity("post_invoice", lambda order: {"id": "posting-1", "amount_cents": 1})


async def start(hub: ManualHub, number: str = "INV-1") -> str:
    answer = await hub.request("POST", "/api/invoices", json=INVOICE | {"number": number})
    started: str = answer.json()["id"]
    return started


async def completed(hub: ManualHub) -> None:
    await start(hub)


async def waiting(hub: ManualHub) -> None:
    """An instance that waits before another attempt."""
    hub.fail_activity("match_order", UNAVAILABLE)
    await start(hub)
    assert hub.status(ID) == "Running"


async def failed(hub: ManualHub) -> None:
    refusal = Failure("order_unknown", "there is no order PO-1001")
    for call in range(1, RETRY.max_number_of_attempts + 1):
        hub.fail_activity("match_order", refusal, on_call=call)
    await start(hub)
    await hub.run_until_ended(ID)


async def suspended(hub: ManualHub) -> None:
    await waiting(hub)
    await hub.suspend(ID)


async def terminated(hub: ManualHub) -> None:
    await waiting(hub)
    await hub.terminate(ID)


async def absent(hub: ManualHub) -> None:
    """Nothing was ever started."""


# What is shown


async def test_a_running_operation_returns_202_with_location_and_retry_after(
    hub: ManualHub, steps: None
) -> None:
    await waiting(hub)

    answer = await hub.request("GET", HERE)

    assert answer.status == 202
    assert answer.headers["Location"].endswith(HERE)
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["runtimeStatus"] == "Running"


async def test_an_ended_operation_returns_200_in_the_form_of_durable_functions(
    hub: ManualHub, steps: None
) -> None:
    await completed(hub)

    answer = await hub.request("GET", HERE)

    shown = answer.json()
    assert answer.status == 200
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown.pop("createdTime"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown.pop("lastUpdatedTime"))
    assert shown == {
        "name": "invoice_intake",
        "instanceId": ID,
        "runtimeStatus": "Completed",
        "input": INVOICE,
        "customStatus": {"step": "posted", "done": 3, "of": 3},
        "output": {"id": "posting-1", "amount_cents": 1},
    }


async def test_a_failed_operation_shows_its_code_and_message(hub: ManualHub, steps: None) -> None:
    await failed(hub)

    answer = await hub.request("GET", HERE)

    expected = {"code": "order_unknown", "message": "there is no order PO-1001"}
    assert (answer.status, answer.json()["output"]) == (200, expected)


async def test_an_unexpected_failure_does_not_show_its_text(hub: ManualHub, steps: None) -> None:
    for call in range(1, 6):
        hub.fail_activity("match_order", KeyError("password"), on_call=call)
    await start(hub)
    await hub.run_until_ended(ID)

    answer = await hub.request("GET", HERE)

    assert answer.json()["output"]["code"] == "internal"
    assert "password" not in answer.text


@pytest.mark.parametrize(
    "instance_id", ["nobody", "@counter@x", "..", "a%2Fb", "intake:acme:INV-1%3FshowHistory=true"]
)
async def test_an_unknown_id_returns_404(hub: ManualHub, steps: None, instance_id: str) -> None:
    await completed(hub)

    answer = await hub.request("GET", f"/api/operations/{instance_id}")

    assert answer.status == 404


async def test_the_links_of_a_starter_lead_to_the_operation(hub: ManualHub, steps: None) -> None:
    answer = await hub.request(
        "POST", "/api/invoices", json=INVOICE, headers={"Host": "pay.example:8080"}
    )

    links = answer.json()
    del links["traceId"]
    assert (links.pop("id"), links.pop("runtimeStatus")) == (ID, "Pending")
    assert {link.split(ID)[0] for link in links.values()} == {
        "http://pay.example:8080/api/operations/"
    }
    assert answer.headers["Location"] == links["statusQueryGetUri"]
    assert set(links) == {
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    }


# What can be done


async def test_a_cancelled_operation_ends_with_the_reason(hub: ManualHub, steps: None) -> None:
    await waiting(hub)

    answer = await hub.request("POST", f"{HERE}/cancel?reason=sent%20back%20%26%20void")

    assert answer.status == 202
    shown = (await hub.request("GET", HERE)).json()
    assert (shown["runtimeStatus"], shown["output"]) == ("Terminated", "sent back & void")


async def test_a_suspended_operation_waits_until_it_is_resumed(hub: ManualHub, steps: None) -> None:
    await waiting(hub)

    await hub.request("POST", f"{HERE}/suspend?reason=audit")
    shown = (await hub.request("GET", HERE)).json()
    assert (shown["runtimeStatus"], shown["output"]) == ("Suspended", "audit")

    await hub.request("POST", f"{HERE}/resume")
    await hub.run_until_ended(ID)
    assert hub.status(ID) == "Completed"


async def test_a_retried_operation_runs_again_with_its_input(hub: ManualHub, steps: None) -> None:
    await failed(hub)

    answer = await hub.request("POST", f"{HERE}/retry")

    assert (answer.status, answer.json()["id"]) == (202, ID)
    shown = (await hub.request("GET", HERE)).json()
    assert (shown["runtimeStatus"], shown["input"]) == ("Completed", INVOICE)


async def test_an_event_reaches_an_operation_that_receives_it(hub: ManualHub, steps: None) -> None:
    await hub.request("POST", "/api/deliveries", json=INVOICE)
    delivery = "delivery:acme:INV-1"

    answer = await hub.request("POST", f"/api/operations/{delivery}/events/{GOODS_EVENT}", json={})

    assert answer.status == 202
    assert hub.output(delivery)["id"] == "posting-1"


@pytest.mark.parametrize("event", sorted(OPEN_EVENTS))
async def test_an_event_for_an_operation_that_never_receives_it_is_refused(
    hub: ManualHub, steps: None, event: str
) -> None:
    await waiting(hub)

    answer = await hub.request("POST", f"{HERE}/events/{event}", json={"every_minutes": 5})

    assert (answer.status, answer.json()["code"]) == (409, "does_not_receive")
    assert event not in [event.get("Name") for event in hub.history(ID)]


@pytest.mark.parametrize("event", [CANCEL_EVENT, "goodsarrived", "Unheard", "ApprovalDecided"])
async def test_an_event_that_callers_may_not_send_is_refused(
    hub: ManualHub, steps: None, event: str
) -> None:
    await waiting(hub)

    answer = await hub.request("POST", f"{HERE}/events/{event}", json={})

    assert (answer.status, answer.json()["code"]) == (404, "unknown_event")
    assert event not in [event.get("Name") for event in hub.history(ID)]


async def test_a_deleted_operation_is_unknown_and_can_be_started_again(
    hub: ManualHub, steps: None
) -> None:
    await completed(hub)

    deleted = await hub.request("DELETE", HERE)
    shown = await hub.request("GET", HERE)
    again = await hub.request("POST", "/api/invoices", json=INVOICE | {"amount_cents": 5})

    assert (deleted.status, deleted.body) == (204, b"")
    assert shown.status == 404
    assert again.status == 202


ACTIONS: Mapping[str, tuple[str, str]] = {
    "show": ("GET", ""),
    "cancel": ("POST", "/cancel"),
    "suspend": ("POST", "/suspend"),
    "resume": ("POST", "/resume"),
    "retry": ("POST", "/retry"),
    "event": ("POST", f"/events/{GOODS_EVENT}"),
    "delete": ("DELETE", ""),
}
BEFORE = (absent, waiting, suspended, completed, failed, terminated)
# action: the status code for each state in BEFORE
CODES = {
    "show": (404, 202, 202, 200, 200, 200),
    "cancel": (404, 202, 202, 410, 410, 410),
    "suspend": (404, 202, 409, 410, 410, 410),
    "resume": (404, 409, 202, 410, 410, 410),
    "retry": (404, 409, 409, 409, 202, 409),
    "event": (404, 409, 409, 410, 410, 410),  # an intake receives no event
    "delete": (404, 409, 409, 204, 204, 204),
}


async def act(hub: ManualHub, action: str) -> Answer:
    method, path = ACTIONS[action]
    return await hub.request(method, HERE + path, json={} if action == "event" else None)


@pytest.mark.parametrize("before", BEFORE, ids=lambda before: before.__name__)
@pytest.mark.parametrize("action", ACTIONS)
async def test_the_answer_of_each_action_depends_on_the_state(
    hub: ManualHub, steps: None, action: str, before: Any
) -> None:
    await before(hub)

    answer = await act(hub, action)

    assert answer.status == CODES[action][BEFORE.index(before)], answer.text
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status
        assert ID in problem["detail"]


# What never leaves


SECRETS = re.compile(
    r"code=|webhooks|taskHub|Traceback|StackTrace|File \\?\"|\.py\b|127\.0\.0\.1|/site-packages|"
    r"System\.|Exception",
)


@pytest.mark.parametrize("before", BEFORE, ids=lambda before: before.__name__)
@pytest.mark.parametrize("action", ACTIONS)
async def test_no_key_trace_or_path_leaves_the_app(
    hub: ManualHub, steps: None, action: str, before: Any
) -> None:
    await before(hub)
    hub.fail_activity("match_order", RuntimeError('File "/home/site/wwwroot/a.py"'))

    acted = await act(hub, action)
    shown = await hub.request("GET", HERE)
    listed = await hub.request("GET", "/api/operations")

    for answer in (acted, shown, listed):
        assert not SECRETS.search(answer.text), answer.text
        assert not SECRETS.search(str(answer.headers)), answer.headers


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"{", 400), (b"x" * 65_537, 413), (b"[" * 60_000, 400)]
)
async def test_the_body_of_an_event_is_checked(
    hub: ManualHub, steps: None, body: bytes, status: int
) -> None:
    await waiting(hub)

    answer = await hub.request("POST", f"{HERE}/events/{GOODS_EVENT}", data=body)

    assert answer.status == status
    assert GOODS_EVENT not in [event.get("Name") for event in hub.history(ID)]


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_an_operation_shows_how_it_ended_and_nothing_of_the_host(hub: ManualHub) -> None:
    operations = [each for each in hub.instances() if not each.id.startswith("@")]
    assert operations
    for each in operations:
        answer = await hub.request("GET", f"/api/operations/{each.id}")
        assert answer.status == (200 if each.ended else 202)
        assert answer.json()["runtimeStatus"] == each.status
        assert not SECRETS.search(answer.text)
