"""Faults happen where, how and as often as was asked, and nowhere else."""

import asyncio

import aiohttp
import pytest

from sandbox.books import OPENING_CENTS
from sandbox.documents import write_invoice

DEBIT = {"account": "operating", "amount_cents": 500, "payment": "pay-1"}


@pytest.fixture
def debit(post):
    async def debit(key: str, payment: str = "pay-1") -> int:
        return int((await post("/bank/debits", DEBIT | {"payment": payment}, key))[0])

    return debit


async def operating(get) -> int:
    return int((await get("/bank/accounts/operating"))[1]["balance_cents"])


async def test_the_next_two_fail_and_the_third_does_not(post, get, debit):
    await post("/faults", {"on": "bank.debits", "fail_next": 2})

    assert [await debit(f"k{n}") for n in range(3)] == [503, 503, 201]
    assert await operating(get) == OPENING_CENTS - 500


async def test_a_failure_has_the_status_and_retry_after_asked_for(sandbox, post):
    await post("/faults", {"on": "rates", "fail_next": 1, "status": 429, "retry_after": 7})

    async with sandbox.get("/rates/USD") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert (await answer.json())["code"] == "out_of_order"


async def test_a_lost_answer_leaves_the_work_done(sandbox, post, get, debit):
    await post("/faults", {"on": "bank.debits", "lose_answer_next": 1})

    with pytest.raises(aiohttp.ClientConnectionError):
        await debit("k1")

    assert await operating(get) == OPENING_CENTS - 500
    assert await debit("k1") == 201
    assert await operating(get) == OPENING_CENTS - 500


async def test_a_lost_answer_with_a_status_comes_as_that(post, get, debit):
    await post("/faults", {"on": "bank.debits", "lose_answer_next": 1, "status": 500})

    assert await debit("k1") == 500
    assert await operating(get) == OPENING_CENTS - 500


async def test_a_refusal_can_be_lost_too(post, debit, put):
    await put("/bank/accounts/operating", {"frozen": True})
    await post("/faults", {"on": "bank.debits", "lose_answer_next": 1, "status": 502})

    assert [await debit("k1"), await debit("k1")] == [502, 403]


async def test_one_in_five_fails_the_same_ones_for_the_same_seed(post, debit, sandbox):
    async def run(seed: int) -> list[int]:
        await sandbox.delete("/faults")
        await post("/faults", {"on": "bank.debits", "one_in": 5, "seed": seed})
        return [await debit(f"{seed}-{n}-{len(runs)}") for n in range(60)]

    runs: list[list[int]] = []
    for seed in (1, 1, 2):
        runs.append(await run(seed))

    assert runs[0] == runs[1] != runs[2]
    assert 4 <= runs[0].count(503) <= 24


async def test_one_in_two_can_lose_the_answer_instead(post, get, debit):
    fault = {"on": "bank.debits", "one_in": 2, "what": "lose_answer", "status": 500}
    await post("/faults", fault)

    answers = [await debit(f"k{n}") for n in range(20)]

    assert {*answers} == {201, 500}
    assert await operating(get) == OPENING_CENTS - 20 * 500


async def test_a_fault_affects_only_the_service_it_names(post, get, debit):
    await post("/faults", {"on": "bank.debits.reversal", "fail_next": 1})
    await post("/faults", {"on": "bank.credits", "fail_next": 1})

    assert await debit("k1") == 201
    _, entries = await get("/bank/ledger", key="k1")
    status, _ = await post(f"/bank/debits/{entries['entries'][0]['id']}/reversal", key="k2")
    assert status == 503


async def test_a_fault_of_a_part_concerns_all_of_it(post, get, debit):
    await post("/faults", {"on": "bank", "fail_next": 2})

    assert (await get("/bank/audit"))[0] == 503
    assert await debit("k1") == 503
    assert (await get("/rates/USD"))[0] == 200


async def test_a_fault_about_one_payment_leaves_the_others_alone(post, debit):
    await post("/faults", {"on": "bank.debits", "about": "pay-7", "fail_next": 1})

    assert await debit("k1", "pay-1") == 201
    assert await debit("k2", "pay-7") == 503
    assert await debit("k2", "pay-7") == 201


async def test_a_fault_of_one_method_leaves_the_others_alone(post, get):
    sent = {"to": "ada@example.com", "subject": "s", "text": "t"}
    await post("/faults", {"on": "mail.messages", "method": "GET", "fail_next": 1})

    assert (await post("/mail/messages", sent, "k1"))[0] == 201
    assert (await get("/mail/messages"))[0] == 503


async def test_a_slow_answer_is_overtaken_by_a_quick_one(post, get):
    await post("/faults", {"on": "rates", "about": "USD", "slow_ms": 300})
    slow = asyncio.create_task(get("/rates/USD"))

    quick = asyncio.create_task(get("/rates/CHF"))
    done, _ = await asyncio.wait({slow, quick}, return_when=asyncio.FIRST_COMPLETED)

    assert done == {quick}
    assert (await slow)[0] == 200


async def test_the_reader_can_be_made_wrong_and_is_unsure_of_it(sandbox, post):
    invoice = write_invoice("acme", "INV-1", 1250)
    await post("/faults", {"on": "reader.documents", "wrong_next": 1})

    read = [await (await sandbox.post("/reader/documents", data=invoice)).json() for _ in "ab"]

    assert [each["fields"]["amount_cents"]["value"] for each in read] == [12500, 1250]
    assert read[0]["confidence"] < 0.6 < read[1]["confidence"]


async def test_faults_are_shown_and_switched_off(post, get, debit, sandbox):
    await post("/faults", {"on": "bank.debits", "fail_next": 5})
    await debit("k1")
    assert (await get("/faults"))[1]["faults"] == [{"on": "bank.debits", "fail_next": 5}]

    await sandbox.delete("/faults")

    assert await debit("k1") == 201
    assert (await get("/faults"))[1]["faults"] == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"on": "bank.debit", "fail_next": 1}, "on: bank.debit is none of bank, bank.accounts"),
        ({"on": "bank.debits"}, "body: Value error, say one of fail_next"),
        ({"on": "bank.debits", "fail_next": 1, "one_in": 3}, "body: Value error, say one of"),
        ({"on": "bank.debits", "fail_next": 0}, "fail_next"),
        ({"on": "bank.debits", "wrong_next": 1}, "only reader.documents can be wrong"),
        ({"on": "bank.debits", "fail_next": 1, "status": 200}, "status"),
        ({"on": "bank.debits", "explode": True}, "explode"),
    ],
)
async def test_an_invalid_fault_is_refused(post, get, fault, says):
    status, answer = await post("/faults", fault)

    assert (status, answer["code"]) == (400, "bad_request")
    assert answer["message"].startswith(says)
    assert (await get("/faults"))[1]["faults"] == []
