"""The log has each line of an orchestrator once."""

import logging

import pytest

from durablehost.testing import ManualHub


async def test_a_line_is_not_written_again_at_every_replay(
    hub: ManualHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="orchestration.log")

    await hub.start("logger", instance_id="i")

    lines = [record.getMessage() for record in caplog.records if record.name == "orchestration.log"]
    assert lines == ["i: began", "i: did the first", "i: did the second"]
