"""The command line: `python -m devhost start [APP_DIR]`."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from devhost import console, reload
from devhost.errors import CannotStart
from devhost.host import Host, Options
from devhost.store import MEMORY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run devhost; 1 where it cannot start, with one message and no traceback of ours."""
    given = _parser().parse_args(arguments)
    options = _options(given)
    try:
        return asyncio.run(_serve(options, given.reload))
    except CannotStart as error:
        console.say(f"\n{error}\n")
        if not given.reload:
            return 1
        console.say("Waiting for a change of the app's files.")
        try:
            asyncio.run(reload.changed(options.folder))
        except KeyboardInterrupt:
            return 1
        reload.again()
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="devhost", description="A local host for Azure Durable Functions apps in Python."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="serve an app as `func start` would")
    start.add_argument("folder", nargs="?", default=".", metavar="APP_DIR", help="default: here")
    start.add_argument("--port", type=_port, help="default: 7071; 0 takes a free one")
    start.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    start.add_argument(
        "--data", metavar="FILE", help=f"the hub; default: .devhost/hub.db; {MEMORY} keeps nothing"
    )
    start.add_argument(
        "--auth", type=Path, metavar="KEYS.json", help="ask for keys; makes the file if absent"
    )
    start.add_argument("--reload", action="store_true", help="start anew when a file changes")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _options(given: argparse.Namespace) -> Options:
    folder = Path(given.folder).absolute()
    data = given.data or str(folder / ".devhost" / "hub.db")
    if data != MEMORY:
        data = str(Path(data).absolute())
    keys = given.auth.absolute() if given.auth else None
    return Options(folder, given.host, given.port, data, keys)


async def _serve(options: Options, reloading: bool) -> int:
    if not options.folder.is_dir():
        raise CannotStart(f"{options.folder} is no folder. Name the one that holds host.json.")
    host = Host(options)
    stop = asyncio.Event()
    _on_signals(stop)
    await host.start()
    until: list[Coroutine[Any, Any, object]] = [stop.wait(), host.ended.wait()]
    if reloading:
        until.append(reload.changed(options.folder))
    waiting = [asyncio.create_task(one) for one in until]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        console.say("Stopping.")
        for task in waiting:
            task.cancel()
        await host.stop()
    if reloading and not stop.is_set():
        reload.again()
    return 1 if host.ended.is_set() else 0


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            return


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # A sync function that still runs holds a thread; it was told, and runs again next time.
    os._exit(code)
