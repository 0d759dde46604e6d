DELIVERY = {"number": "D-1", "amount": 120}


def steps(hub):
    return [call.name for call in hub.calls()]


async def test_a_new_instance_takes_the_new_step(hub):
    delivery = await hub.start("delivery", DELIVERY)

    assert (await hub.result(delivery))["version"] == "2.0"
    assert steps(hub) == ["receive", "inspect", "pay"]


async def test_an_instance_of_the_old_version_finishes_as_it_began(hub):
    delivery = await hub.start("delivery", DELIVERY, version="1.0")

    assert (await hub.result(delivery))["version"] == "1.0"
    assert steps(hub) == ["receive", "pay"]


async def test_an_instance_without_a_version_is_an_old_one(hub):
    delivery = await hub.start("delivery", DELIVERY, version="")

    assert (await hub.result(delivery))["version"] == "1.0"
    assert steps(hub) == ["receive", "pay"]
