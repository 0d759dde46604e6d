"""Loads every app of a file of recorded apps, and prints the results as JSON."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from durablehost.errors import AppDoesNotLoad
from durablehost.testing import ManualHub


async def outcome(folder: Path) -> dict[str, object]:
    try:
        table = load_app(folder)
    except AppDoesNotLoad as error:
        return {"loads": False, "says": str(error), "listed": []}
    says = "\n".join(left_out.says for left_out in table.left_out)
    left_out = [left_out.name for left_out in table.left_out]
    loaded = {"loads": True, "says": says, "listed": table.listed, "left_out": left_out}
    return loaded | await answers(table)


async def answers(table: FunctionTable) -> dict[str, object]:
    """The answers of the app's two routes and its orchestrator, in the recorded form."""
    async with ManualHub(table) as hub:
        hub.allow_problems("unknown-function")  # of an activity that is left out
        statuses = {
            request: (await hub.request(*request.split())).status
            for request in ("GET /api/ping", "GET /api/c")
        }
        started = await hub.start("orch")
        return statuses | {"orch": [hub.status(started), str(hub.output(started))]}


def main(recording: str) -> None:
    outcomes = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, case in json.loads(Path(recording).read_text()).items():
            folder = Path(scratch, name)
            folder.mkdir()
            (folder / "function_app.py").write_text(case["source"])
            outcomes[name] = asyncio.run(outcome(folder))
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1])
