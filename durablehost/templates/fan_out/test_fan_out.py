async def test_the_results_of_all_files_are_combined(hub):
    batch = await hub.start("batch", {"files": ["a.csv", "bb.csv"]})

    assert await hub.result(batch) == {"invoices": 11, "failed": []}


async def test_a_file_that_fails_does_not_stop_the_others(hub):
    batch = await hub.start("batch", {"files": ["a.csv", "scan.pdf"]})

    assert await hub.result(batch) == {"invoices": 5, "failed": ["scan.pdf"]}


async def test_an_empty_batch_completes(hub):
    batch = await hub.start("batch", {"files": []})

    assert await hub.result(batch) == {"invoices": 0, "failed": []}


async def test_more_files_than_fit_into_one_wave_are_all_read(hub):
    batch = await hub.start("batch", {"files": ["a.csv"] * 45})

    assert (await hub.result(batch))["invoices"] == 45 * 5
    assert len(hub.calls("read_file")) == 45
