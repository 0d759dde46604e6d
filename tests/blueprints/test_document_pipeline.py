"""Document pipeline: a scan is read, checked, stored, posted and reported, whatever fails."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from activities import documents
from activities.documents import QUARANTINE
from activities.reviews import REVIEWER
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from tests.faults.judging import completed
from tests.outside import Sandbox
from tests.scanning import (
    decide,
    files_of,
    id_of,
    link,
    reported,
    scanned,
    send,
    stored,
    take_in,
)

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("storage")]

READ = {
    "kind": "invoice",
    "vendor": "acme",
    "number": "INV-1",
    "order": "PO-1001",
    "amount_cents": 125_000,
    "currency": "EUR",
}
POSTED: dict[str, Any] = {
    "outcome": "posted",
    "kind": "invoice",
    "fields": READ,
    "doubts": [],
    "reviews": [],
    "posting": {"id": "posting-1", "amount_cents": 125_000},
    "failure": None,
}
A_DAY = timedelta(days=1)  # after which nobody is asked again


async def test_a_scan_that_is_in_order_is_posted_without_a_person(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await take_in(hub, scanned())

    assert (hub.status(document), hub.output(document)) == ("Completed", POSTED)
    [posting] = await sandbox.postings()
    assert (posting["vendor"], posting["number"], posting["order"]) == ("acme", "INV-1", "PO-1001")
    assert await reported(sandbox) == ["invoice INV-1 of acme is posted"]
    assert await sandbox.mails(REVIEWER) == []
    assert hub.problems() == []


async def test_the_original_the_reading_and_the_decision_are_stored_in_one_folder(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned()
    document = await take_in(hub, content)

    assert await files_of(document) == ["decision.json", "extracted.json", "original.pdf"]
    assert await stored(document, "original.pdf") == content
    assert await stored(document, "decision.json") == hub.output(document)
    extracted = await stored(document, "extracted.json")
    assert extracted["fields"]["amount_cents"] == {"value": 125_000, "confidence": 0.98}


async def test_the_history_contains_neither_the_file_nor_all_that_was_read(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    page = "lorem ipsum " * 100_000

    document = await take_in(hub, scanned(vat_id=page))

    assert hub.output(document)["outcome"] == "posted"
    assert len((await stored(document, "extracted.json"))["fields"]["vat_id"]["value"]) > 10**6
    history = json.dumps(hub.history(document), default=str)
    assert "lorem" not in history
    assert len(history) < 40_000


async def test_the_posting_is_made_by_a_child_that_takes_in_the_invoice(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await take_in(hub, scanned())

    [child] = hub.instances(f"{document}:intake-")
    assert (child.name, child.status) == ("invoice_intake", "Completed")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("Tax Invoice", "posted"), ("reminder", "filed"), ("Credit-Note", "filed")],
)
async def test_only_an_invoice_is_posted(
    hub: ManualHub, sandbox: Sandbox, kind: str, outcome: str
) -> None:
    document = await take_in(hub, scanned(kind=kind))

    assert hub.output(document)["outcome"] == outcome
    assert len(await sandbox.postings()) == (outcome == "posted")
    assert (await reported(sandbox))[0].endswith(f"is {outcome}")


# The same once more


async def test_the_same_file_sent_twice_is_one_document(hub: ManualHub, sandbox: Sandbox) -> None:
    content = scanned()
    first, second = await asyncio.gather(send(hub, content), send(hub, content))
    third = await send(hub, content)

    assert 202 in {first.status, second.status} <= {200, 202}  # one may come after the end
    assert third.status == 200
    assert {answer.json()["id"] for answer in (first, second, third)} == {id_of(content)}
    assert [each.name for each in hub.instances("document:")].count("document_intake") == 1
    assert len(await sandbox.postings()) == 1


async def test_the_same_invoice_scanned_twice_is_posted_once(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await take_in(hub, scanned())

    again = await take_in(hub, scanned())

    assert hub.custom_status(again)["step"] == "reviewing"
    message = "invoice INV-1 of acme is posted as posting-1"
    doubt = {"about": "postings", "code": "already_posted", "message": message}
    assert hub.custom_status(again)["doubts"] == [doubt]
    assert len(await sandbox.postings()) == 1


async def test_two_concurrent_scans_of_one_invoice_make_one_posting(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    # Both have passed the checks before the first is posted.
    await sandbox.fault("postings", method="POST", fail_next=2)
    first, second = await take_in(hub, scanned()), await take_in(hub, scanned())

    await asyncio.gather(hub.run_until_ended(first), hub.run_until_ended(second))

    outputs = [hub.output(document) for document in (first, second)]
    [posting] = await sandbox.postings()
    assert [output["outcome"] for output in outputs] == ["posted", "posted"]
    assert [output["posting"]["id"] for output in outputs] == [posting["id"]] * 2


async def test_ten_concurrent_documents_make_ten_postings(hub: ManualHub, sandbox: Sandbox) -> None:
    files = [scanned(f"INV-{number}", 100 + number) for number in range(10)]

    answers = await asyncio.gather(*(send(hub, content) for content in files))

    assert [answer.status for answer in answers] == [202] * 10
    amounts = [posting["amount_cents"] for posting in await sandbox.postings()]
    assert sorted(amounts) == [100 + number for number in range(10)]
    for number, content in enumerate(files):
        assert (await stored(id_of(content), "decision.json"))["fields"][
            "number"
        ] == f"INV-{number}"
    assert len(await reported(sandbox)) == 10


# What goes wrong


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ({"on": "reader"}, "reading"),
        ({"on": "orders"}, "checking"),
        ({"on": "postings", "method": "GET"}, "checking"),
        ({"on": "postings", "method": "POST"}, "posting"),
        ({"on": "mail"}, "notifying"),
    ],
)
async def test_an_outage_of_hours_delays_a_document_and_loses_none(
    hub: ManualHub, sandbox: Sandbox, fault: dict[str, Any], step: str
) -> None:
    await sandbox.fault(**fault, fail_next=30)

    document = await take_in(hub, scanned())
    assert hub.custom_status(document)["step"] == step

    await hub.run_until_ended(document, within=timedelta(hours=20))
    assert hub.output(document) == POSTED
    assert len(await sandbox.postings()) == len(await reported(sandbox)) == 1


async def test_a_reader_that_is_too_slow_is_asked_again(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "READER_PATIENCE", timedelta(milliseconds=100))
    await sandbox.fault("reader", wrong_next=1, slow_ms=400)

    document = await take_in(hub, scanned())
    assert hub.custom_status(document)["step"] == "reading"
    await hub.run_until_ended(document)

    assert hub.output(document) == POSTED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"on": "reader"}, "reader_unavailable"),
        ({"on": "orders"}, "orders_unavailable"),
        ({"on": "postings", "method": "POST"}, "postings_unavailable"),
    ],
)
async def test_an_outage_of_days_fails_a_document_with_a_code_and_a_retry_completes_it(
    hub: ManualHub, sandbox: Sandbox, fault: dict[str, Any], code: str
) -> None:
    await sandbox.fault(**fault, fail_next=1000)
    document = await take_in(hub, scanned())
    await hub.run_until_ended(document, A_DAY)
    shown = (await hub.request("GET", f"/api/operations/{document}")).json()
    assert (shown["runtimeStatus"], shown["output"]["code"]) == ("Failed", code)
    assert await sandbox.postings() == []
    assert await reported(sandbox) == [f"{document} has failed"]

    await sandbox.mend()
    await hub.request("POST", f"/api/operations/{document}/retry")

    assert hub.output(document) == POSTED


async def test_a_wrong_read_is_not_posted_but_shown_to_a_person(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("reader", wrong_next=1)

    document = await take_in(hub, scanned())

    doubts = hub.custom_status(document)["doubts"]
    assert [(doubt["about"], doubt["code"]) for doubt in doubts] == [
        ("amount_cents", "unsure"),
        ("order", "over_order"),
    ]
    assert await sandbox.postings() == []


@pytest.mark.parametrize(
    ("changes", "about", "code"),
    [
        ({"number": "INV-1 ?0.79"}, "number", "unsure"),
        ({"kind": "invoice ?0.5"}, "kind", "unsure"),
        ({"kind": "birthday card"}, "kind", "unknown"),
        ({"order": ""}, "order", "malformed"),
        ({"vendor": "acme & sons"}, "vendor", "malformed"),
        ({"currency": "euro"}, "currency", "malformed"),
        ({"amount_cents": 0}, "amount_cents", "malformed"),
        ({"order": "PO-9999"}, "order", "order_unknown"),
        ({"order": "PO-1002"}, "order", "other_vendor"),
        ({"currency": "USD"}, "order", "other_currency"),
        ({"amount_cents": 125_001}, "order", "over_order"),
        ({"currency": "XXX"}, "currency", "currency_unknown"),
    ],
)
async def test_a_person_is_asked_about_whatever_is_doubtful(
    hub: ManualHub, sandbox: Sandbox, changes: dict[str, Any], about: str, code: str
) -> None:
    document = await take_in(hub, scanned(**changes))

    doubts = {doubt["about"]: doubt["code"] for doubt in hub.custom_status(document)["doubts"]}
    assert doubts[about] == code
    [mail] = await sandbox.mails(REVIEWER)
    assert f"- {about}: " in mail["text"]
    assert await sandbox.postings() == []


async def test_a_document_of_symbols_and_control_characters_still_reaches_a_person(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    pages = "\x07" + "\U0001f600" * 5000

    document = await take_in(
        hub, scanned(pages, vendor=pages, order=pages, kind="invoice ?0.1", currency=pages)
    )

    assert hub.custom_status(document)["step"] == "reviewing"
    assert len(hub.custom_status(document)["doubts"]) == 5
    assert len(json.dumps(hub.custom_status(document)).encode("utf-16")) < 16 * 1024
    assert len(await sandbox.mails(REVIEWER)) == 1


async def test_all_checks_run_even_if_one_finds_a_doubt(hub: ManualHub, sandbox: Sandbox) -> None:
    await take_in(hub, scanned("INV-7"))

    document = await take_in(hub, scanned("INV-7", currency="XXX"))

    codes = [doubt["code"] for doubt in hub.custom_status(document)["doubts"]]
    assert codes == ["currency_unknown", "other_currency", "already_posted"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"%PDF-1.7\n\xff\xfe coffee was spilled over this one", "unreadable"),
        (b"%PDF-1.7\nvendor: acme\n", "unreadable"),
    ],
)
async def test_a_file_that_cannot_be_read_goes_into_quarantine_with_the_reason(
    hub: ManualHub, sandbox: Sandbox, content: bytes, code: str
) -> None:
    document = await take_in(hub, content)

    output = hub.output(document)
    assert (output["outcome"], output["failure"]["code"]) == ("quarantined", code)
    assert await stored(document, "reason.json", QUARANTINE) == output["failure"]
    assert await stored(document, "original.pdf", QUARANTINE) == content
    assert await stored(document, "decision.json") == output
    assert (await reported(sandbox))[0].endswith("is quarantined")


async def test_a_posting_whose_answer_was_lost_is_made_once(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", method="POST", lose_answer_next=7)

    document = await take_in(hub, scanned())
    await hub.run_until_ended(document)

    assert hub.output(document) == POSTED
    assert len(await sandbox.postings()) == 1


async def test_the_posting_of_a_refused_document_cannot_be_retried_on_its_own(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", method="POST", fail_next=100, status=409)
    document = await take_in(hub, scanned())
    await hub.run_until_ended(document)
    [child] = hub.instances(f"{document}:intake-")

    answer = await hub.request("POST", f"/api/operations/{child.id}/retry")

    assert hub.output(document)["outcome"] == "refused"
    assert (answer.status, answer.json()["code"]) == (409, "is_a_child")
    assert (hub.status(child.id), await sandbox.postings()) == ("Failed", [])


async def test_an_order_that_closes_before_the_posting_refuses_it(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", method="POST", fail_next=6)
    document = await take_in(hub, scanned())
    assert hub.custom_status(document)["step"] == "posting"
    await sandbox.put("/orders/PO-1001", vendor="acme", amount_cents=125_000, open=False)

    await hub.run_until_ended(document)

    output = hub.output(document)
    assert (output["outcome"], output["failure"]["code"]) == ("refused", "order_closed")
    assert output["posting"] is None
    assert await stored(document, "decision.json") == output


async def test_a_mail_that_cannot_be_sent_does_not_undo_the_posting(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", fail_next=1000)

    document = await take_in(hub, scanned())
    await hub.run_until_ended(document, A_DAY)

    assert hub.output(document) == POSTED


async def test_a_document_that_was_deleted_and_sent_again_is_not_posted_again(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned()
    document = await take_in(hub, content)
    await hub.request("DELETE", f"/api/operations/{document}")

    await take_in(hub, content)

    assert hub.custom_status(document)["doubts"][0]["code"] == "already_posted"
    assert len(await sandbox.postings()) == 1


async def test_a_document_whose_posting_was_reversed_is_posted_again_when_it_is_sent_again(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned()
    document = await take_in(hub, content)
    await hub.request("DELETE", f"/api/operations/{document}")
    key = {"Idempotency-Key": "a mistake"}
    await sandbox.send("POST", "/postings/posting-1/reversal", {}, key)

    await hub.advance(timedelta(hours=1))
    await take_in(hub, content)

    assert hub.output(document)["posting"]["id"] == "posting-2"
    assert [posting["reversed"] for posting in await sandbox.postings()] == [True, False]


# Settings


async def test_settings_give_the_confidence_and_the_time_for_a_review(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_SURE_PERCENT", "99")
    monkeypatch.setenv("REVIEW_HOURS", "3")
    monkeypatch.setenv("REVIEWER", "grace@example.com")

    document = await take_in(hub, scanned())

    assert hub.custom_status(document)["expires"] == "2026-01-01T03:00:00Z"
    assert {doubt["code"] for doubt in hub.custom_status(document)["doubts"]} == {"unsure"}
    assert len(await sandbox.mails("grace@example.com")) == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("REVIEW_SURE_PERCENT", "very"),
        ("REVIEW_HOURS", "0"),
        ("DECISION_KEY", "31-characters-at-most"),
        ("AzureWebJobsStorage", ""),
        ("AzureWebJobsStorage", "nonsense"),
    ],
)
async def test_a_missing_setting_is_named_and_nothing_starts(
    hub: ManualHub,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
) -> None:
    monkeypatch.setenv(setting, value)

    answer = await send(hub, scanned())

    assert (answer.status, answer.json()["code"]) == (503, "not_configured")
    assert setting in answer.json()["detail"]
    assert hub.instances() == []


async def test_nothing_starts_without_a_storage_that_answers(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"
    monkeypatch.setenv("AzureWebJobsStorage", f"{nowhere}BlobEndpoint=http://127.0.0.1:1/a")

    answer = await send(hub, scanned())

    assert (answer.status, answer.json()["code"]) == (503, "storage_unavailable")
    assert "AzureWebJobsStorage" in answer.json()["detail"]
    assert hub.instances() == []


# Crashes


async def test_a_crash_between_any_two_steps_posts_once_and_mails_once(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    content = scanned()

    async def run(hub: ManualHub) -> None:
        await take_in(hub, content)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(id_of(content))

        assert hub.output(id_of(content)) == POSTED
        assert hub.problems() == []
        assert len(await sandbox.postings()) == len(await reported(sandbox)) == 1
        await sandbox.reset()


async def test_a_crash_between_any_two_steps_of_a_review_asks_once_and_takes_the_correction(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    content = scanned("INV-1 ?0.4")

    async def review(hub: ManualHub) -> None:
        await decide(hub, await link(sandbox), "correct", corrections={"number": "INV-7"})

    async def run(hub: ManualHub) -> None:
        await take_in(hub, content)
        await review(hub)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_idle()
        if not hub.instance(id_of(content)).ended:
            await review(hub)

        assert hub.output(id_of(content))["outcome"] == "posted"
        assert hub.problems() == []
        assert [posting["number"] for posting in await sandbox.postings()] == ["INV-7"]
        assert len(await sandbox.mails(REVIEWER)) == len(await reported(sandbox)) == 1
        await sandbox.reset()


async def test_a_crash_between_any_two_steps_quarantines_an_unreadable_file_once(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    content = b"%PDF-1.7\n" + scanned("")

    async def run(hub: ManualHub) -> None:
        await take_in(hub, content)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(id_of(content))

        assert hub.output(id_of(content))["outcome"] == "quarantined"
        assert len(await reported(sandbox)) == 1
        await sandbox.reset()


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_document_is_posted_exactly_if_its_outcome_says_so(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    outcomes = [each.output for each in completed(hub, "document_intake")]
    made = await sandbox.postings()  # a test reverses some of them
    said = [each["posting"] for each in outcomes if each["outcome"] == "posted"]
    assert {each["id"] for each in said} <= {each["id"] for each in made}
    assert sum(not each["reversed"] for each in made) <= len(hub.instances("document:"))
    assert all(each["posting"] is None for each in outcomes if each["outcome"] != "posted")
