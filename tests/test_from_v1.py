"""The example in docs/from-v1.md loads, and keeps the names that running instances know."""

import re
from typing import Any

from durablehost.testing import ManualHub
from tests.source import ROOT


async def test_the_moved_app_answers_to_the_names_that_it_had_before() -> None:
    page = (ROOT / "docs" / "from-v1.md").read_text("utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(example, namespace)

    async with ManualHub(namespace["app"]) as hub:
        result = await hub.result(await hub.start("HelloSequence"))

    assert result == "Hello Oslo"
    assert re.findall(r"^(\w+)/function.json", page, re.MULTILINE) == ["HelloSequence", "SayHello"]
