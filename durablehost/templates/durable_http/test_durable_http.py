OFFICE = "http://office.example/ask"
QUESTION = {"number": "DE123", "url": OFFICE}


async def test_the_orchestrator_polls_until_there_is_an_answer(hub):
    later = {"Location": f"{OFFICE}/1"}
    hub.answer_http("POST", OFFICE, status=202, headers=later)
    hub.answer_http("GET", f"{OFFICE}/1", status=202)
    hub.answer_http("GET", f"{OFFICE}/1", json={"valid": True})

    check = await hub.start("tax_check", QUESTION)

    assert await hub.result(check) == {"valid": True}


async def test_an_error_of_the_service_is_no_answer(hub):
    hub.answer_http("POST", OFFICE, status=500)

    check = await hub.start("tax_check", QUESTION)

    assert await hub.result(check) is None
