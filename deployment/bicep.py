"""`python -m deployment.bicep`: compile and lint infra/, and compare it with its snapshots.

A snapshot holds every resource that a deployment with one parameter file would create. The compiler
is `bicep` on the PATH, or the file that BICEP names; without one nothing is checked. A check that
passed is not repeated while nothing in infra/ has changed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
INFRA: Final = ROOT / "infra"
PASSED: Final = ROOT / ".venv" / ".infra-passed"

# Ids that no subscription has, so that names in snapshots are names and not expressions.
_SCOPE: Final = (
    "--subscription-id",
    "00000000-0000-0000-0000-00000000000a",
    "--tenant-id",
    "00000000-0000-0000-0000-00000000000b",
)


def compiler() -> str:
    """The Bicep compiler of this machine; empty where there is none."""
    return shutil.which("bicep") or os.environ.get("BICEP", "")


def parameter_files(infra: Path) -> list[Path]:
    """The parameter files with a snapshot."""
    return sorted((infra / "snapshots").glob("*.bicepparam"))


def run(bicep: str, *arguments: str | Path) -> str:
    """Run the compiler. Returns what it complains of, and that it failed if it says nothing."""
    # Without this setting, .NET does not start where no ICU library is installed.
    environ = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    done = subprocess.run(
        [bicep, *arguments], env=environ, capture_output=True, text=True, check=False
    )
    said = done.stderr.strip()
    if done.returncode:
        return "\n".join(filter(None, (done.stdout.strip(), said))) or "bicep failed"
    return said  # warnings


def complaints(bicep: str, infra: Path) -> list[str]:
    """What is wrong with the folder; empty where all is well."""
    files = parameter_files(infra)
    asked: list[tuple[str | Path, ...]] = [("lint", infra / "main.bicep")]
    asked += [("snapshot", file, "--mode", "validate", *_SCOPE) for file in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        linted, *compared = pool.map(lambda arguments: run(bicep, *arguments), asked)
    differing = zip(files, compared, strict=True)
    found = [f"{file.name} and its snapshot differ:\n{said}" for file, said in differing if said]
    return [linted, *found] if linted else found


def fingerprint(bicep: str, infra: Path) -> str:
    """What a passed check depends on: the compiler, and every file in the folder."""
    digest = hashlib.sha256(f"{bicep} {Path(bicep).stat().st_mtime}".encode())
    for file in sorted(path for path in infra.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(infra)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deployment.bicep", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the snapshots anew")
    chosen = parser.parse_args(arguments)
    bicep = compiler()
    if not bicep:
        print("infra/ is not checked: there is no bicep on the PATH, and BICEP names none")
        return 1 if chosen.write else 0
    if chosen.write:
        said = [run(bicep, "snapshot", file, *_SCOPE) for file in parameter_files(INFRA)]
        print("\n".join(filter(None, said)) or "the snapshots are written")
        return 1 if any(said) else 0
    now = fingerprint(bicep, INFRA)
    if PASSED.exists() and PASSED.read_text("utf-8") == now:
        print("infra/ has passed before")
        return 0
    found = complaints(bicep, INFRA)
    for complaint in found:
        print(complaint)
    if found:
        print("To take a change over into the snapshots: python -m deployment.bicep --write")
        return 1
    PASSED.parent.mkdir(exist_ok=True)
    PASSED.write_text(now, "utf-8")
    print("infra/ compiles without a warning and agrees with its snapshots")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
