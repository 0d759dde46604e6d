"""Loads every app of a file of recorded apps and prints, as JSON, what became of each."""

import json
import sys
import tempfile
from pathlib import Path

from devhost.errors import AppDoesNotLoad
from devhost.loading import load_app


def outcome(folder: Path) -> dict[str, object]:
    try:
        table = load_app(folder)
    except AppDoesNotLoad as error:
        return {"loads": False, "says": str(error), "listed": []}
    says = "\n".join(left_out.says for left_out in table.left_out)
    left_out = [left_out.name for left_out in table.left_out]
    return {"loads": True, "says": says, "listed": table.listed, "left_out": left_out}


def main(recording: str) -> None:
    outcomes = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, case in json.loads(Path(recording).read_text()).items():
            folder = Path(scratch, name)
            folder.mkdir()
            (folder / "function_app.py").write_text(case["source"])
            outcomes[name] = outcome(folder)
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1])
