"""Print how many recorded answers durablehost gives, a line per folder: `make conformance`.

Exits with 1 if any answer differs.
"""

import argparse
import sys
import tempfile
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.azurite import running_azurite, why_not
from tests.conformance.playing import FOLDERS, Played, plays


def main() -> int:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("folder", nargs="?", choices=FOLDERS, help="all folders if left out")
    parser.add_argument("scenario", nargs="*", help="all of the folder if left out")
    parser.add_argument("--differences", action="store_true", help="print each answer that differs")
    chosen = parser.parse_args()
    folders = [chosen.folder] if chosen.folder else list(FOLDERS)
    with ExitStack() as ends:
        environ = {}
        if "more" in folders and (why := why_not()):
            print(f"more: left out. {why}")
            folders.remove("more")
        elif "more" in folders:
            environ["AzureWebJobsStorage"] = ends.enter_context(running_azurite())
        # The functions of `timeouts` compute for seconds, and would slow the other folders down.
        shares = [[name for name in folders if name != "timeouts"], ["timeouts"]]
        agree = [
            _print_all(share, chosen.scenario, environ, chosen.differences)
            for share in shares
            if set(share) & set(folders)
        ]
    return 0 if all(agree) else 1


def _print_all(
    folders: list[str], names: Collection[str], environ: Mapping[str, str], differences: bool
) -> bool:
    with (
        tempfile.TemporaryDirectory() as scratch,
        plays(folders, Path(scratch), names=names, environ=environ) as played,
    ):
        agree = [_print(folder, played[folder].result(), differences) for folder in folders]
        return all(agree)


def _print(folder: str, played: Played, differences: bool) -> bool:
    if differences and played.differing:
        print(played)
    different = sum(map(len, played.differences.values()))
    print(
        f"{folder:<9}{len(played.differences):>4} scenarios,{played.answers:>4} answers;"
        f"{len(played.differing):>3} scenarios and{different:>3} answers differ",
        flush=True,
    )
    for name in sorted(played.differing):
        print(f"  {name} differs")
    return not played.differing


if __name__ == "__main__":
    sys.exit(main())
