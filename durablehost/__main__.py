"""The command line: `python -m durablehost start [APP_DIR]`."""

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NoReturn

from durablehost.command import console, new
from durablehost.command.func_flags import instead_of
from durablehost.command.host import Host, Options
from durablehost.command.reload import Watch
from durablehost.errors import AddressUnusable, CannotStart, HubInUse, HubUnusable
from durablehost.store import MEMORY

if sys.platform != "win32":
    import resource

_PROGRAM: Final = "python -m durablehost"
_OPEN_FILES: Final = 8192
_MMAP_THRESHOLD: Final = -3  # an option of mallopt
_LARGE_BYTES: Final = 262_144
_STOPS_WITHIN: Final = 1.9  # seconds from the signal
_CANNOT_LOOK: Final = 2  # 1 says that the linter or a replay has found something
_CTRL_C: Final = 130  # what a shell says of a program that Ctrl-C ended
_NOT_CURED_BY_A_CHANGE: Final = (AddressUnusable, HubInUse, HubUnusable)
_ABOUT: Final = """\
Run an Azure Functions app (Python v2, Durable Functions) on this machine, without Azure,
Core Tools or storage. The app runs as it does on Azure, and durablehost reports mistakes
that Azure does not report."""
_EXAMPLES: Final = f"""\
examples:
  {_PROGRAM} start                        the app in this folder, on port 7071
  {_PROGRAM} start ../app --port 0        another app, on any free port
  {_PROGRAM} start --reload               restart after every change; instances continue
  {_PROGRAM} start --data :memory:        an empty hub in memory
  {_PROGRAM} new my-app --pattern saga    a small app of your own, with its tests
  {_PROGRAM} lint ../app                  what breaks the rules of Durable Python
  {_PROGRAM} record                       keep the histories of running instances
  {_PROGRAM} show .durablehost/hub.db     look at a hub, a history or a deployed app
  {_PROGRAM} replay                       what the code of today does with them

Settings come from host.json and local.settings.json, as under `func start`. Ctrl-C stops it
and loses nothing. The exit code is 0 after it was stopped, and 1 if it cannot start."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run durablehost. If it cannot start, print one message and return 1."""
    console.write_any_text()
    asked = list(sys.argv[1:] if arguments is None else arguments)
    try:
        given = _parser().parse_args(asked)
        if given.command is None:
            _parser().print_help()
            return 1
        if given.command == "new":
            return _new(given)
        if given.command == "lint":
            return _lint(given)
        if given.command == "show":
            return _show(given)
        if given.command in ("record", "replay"):
            return _with_histories(given)
        options = _options(given)
        watch = Watch(options.folder) if given.reload else None
        _allow_connections()
        _return_memory()
        host = _load(options, watch)  # not on the loop: Ctrl-C has to end an import, too
        code, more = asyncio.run(_serve(host, watch))
    except CannotStart as error:
        console.complain(error)
        return _CANNOT_LOOK if asked[:1] in (["lint"], ["record"], ["replay"]) else 1
    except KeyboardInterrupt:
        return _CTRL_C
    if watch is not None and code is None:
        sys.stdout.flush()
        watch.start_anew(*more)
    return code or 0


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments in the same form as all other errors."""

    def error(self, message: str) -> NoReturn:
        words = f"{message[:1].upper()}{message[1:]}."
        program = f"{_PROGRAM} start" if self.prog == _PROGRAM else self.prog
        advised = (
            instead_of(message.split()) or f"`{program} --help` shows the commands and options."
        )
        raise CannotStart(f"{words} {advised}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=None)
    parser.add_argument(
        "--version", action="version", version=f"durablehost {version('durablehost')}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    start = commands.add_parser(
        "start",
        help="serve an app, as `func start` does",
        description="Serve the app in APP_DIR, as `func start` does.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(start)
    _add_new(commands)
    _add_lint(commands)
    _add_record(commands)
    _add_replay(commands)
    _add_show(commands)
    return parser


def _add_new(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser(
        "new",
        help="create a small app for one pattern",
        description="Create an app in DIR: one pattern in plain SDK code, its tests and settings.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", nargs="?", metavar="DIR", help="a new or empty folder")
    parser.add_argument(
        "--pattern", default=new.DEFAULT, metavar="NAME", help=f"default: {new.DEFAULT}"
    )
    parser.add_argument("--list", action="store_true", help="list all patterns")


def _add_lint(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser(
        "lint",
        help="report what breaks the rules of Durable Python",
        description="Read the app in APP_DIR and report what breaks the rules of Durable Python. "
        "The exit code is 0 without findings, 1 with findings, and 2 if the app cannot be read.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folders", nargs="*", metavar="APP_DIR", help="default: this folder")
    add("--select", metavar="CODES", help="only these rules: DUR101,DUR2 or names")
    add("--ignore", metavar="CODES", help="all rules except these")
    add("--fix", action="store_true", help="correct what can be corrected safely")
    add("--format", choices=["text", "json", "github"], default="text", help="default: text")
    add("--notes", action="store_true", help="list the calls that the linter could not follow")
    add("--no-load", dest="load", action="store_false", help="read the source only, import nothing")
    add("--explain", nargs="?", const="", metavar="CODE", help="explain a rule, or list all rules")


def _add_record(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser(
        "record",
        help="keep histories of a hub as files",
        description="Write the histories of instances, by default of those that run, as files for"
        " `replay`. Needs a hub that no durablehost has open, or the address of a host.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("instances", nargs="*", metavar="ID", help="ids, or their beginnings; default: what runs")
    add("--app", default=".", metavar="APP_DIR", help="default: this folder")
    add("--data", metavar="FILE", help="the hub file (default: APP_DIR/.durablehost/hub.db)")
    add("--from", dest="source", metavar="URL", help="a host instead, by its management API")
    add("--to", metavar="DIR", help="default: APP_DIR/tests/histories")
    add("--redact", nargs="+", default=[], metavar="KEY", help="replace the values of these keys")
    add("--limit", type=int, default=100, metavar="N", help="so many instances (default: 100)")


def _add_replay(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser(
        "replay",
        help="say what the code of today does with recorded instances",
        description="Run the orchestrators of today over recorded histories, or over the running"
        " instances of a deployed app. Ends with 0 if all fit, 1 if not, and 2 if it cannot look.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("histories", nargs="*", metavar="PATH", help="default: APP_DIR/tests/histories")
    add("--app", default=".", metavar="APP_DIR", help="default: this folder")
    add("--against", metavar="URL", help="the running instances of this host instead")
    add("--limit", type=int, default=100, metavar="N", help="so many of them (default: 100)")
    add("--update", action="store_true", help="accept all that would not fail")


def _add_show(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser(
        "show",
        help="open a hub file, a history or a deployed app in the dashboard",
        description="Show a hub file, a downloaded history, or a deployed app by its address, in"
        " the dashboard. Nothing is changed, and of the app in APP_DIR only orchestrators run, for"
        " the replay view. The key of a deployed app is read from DURABLE_KEY.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("what", metavar="FILE_OR_URL")
    add("--app", default=".", metavar="APP_DIR", help="default: the current folder")
    add("-p", "--port", type=_port, default=0, metavar="N", help="default: any free port")


def _add_options(start: argparse.ArgumentParser) -> None:
    add = start.add_argument
    add(
        "folder",
        nargs="?",
        default=".",
        metavar="APP_DIR",
        help="the folder with host.json and function_app.py (default: the current one)",
    )
    add("-p", "--port", type=_port, metavar="N", help="default: 7071; 0 chooses a free port")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1")
    add(
        "--data",
        metavar="FILE",
        help=f"the hub file (default: APP_DIR/.durablehost/hub.db); {MEMORY} keeps nothing",
    )
    add(
        "--auth",
        type=Path,
        metavar="KEYS.json",
        help="require keys, as Azure does; the file is created if it does not exist",
    )
    add("--reload", action="store_true", help="restart when a file of the app changes")
    add("--functions", nargs="+", default=[], metavar="NAME", help="load only these functions")
    add(
        "--cors",
        metavar="ORIGINS",
        help="origins that may call the app, separated by commas (default: Host.CORS)",
    )
    add("--cors-credentials", action="store_true", help="allow these origins to send cookies")
    add("--movable-clock", action="store_true", help="let the dashboard move the clock ahead")
    add("--verbose", action="store_true", help="also log each call of a function")


def _new(given: argparse.Namespace) -> int:
    if given.list:
        new.show_patterns()
        return 0
    if given.folder is None:
        raise CannotStart(f"Name a folder for the app: `{_PROGRAM} new my-app`.")
    new.create(Path(given.folder), given.pattern)
    new.show_created(Path(given.folder), given.pattern)
    return 0


def _lint(given: argparse.Namespace) -> int:
    from durablehost.command import lint  # it is not needed to serve an app

    return lint.run(given)


def _with_histories(given: argparse.Namespace) -> int:
    from durablehost.command import record, replay  # they are not needed to serve an app

    return record.run(given) if given.command == "record" else replay.run(given)


def _show(given: argparse.Namespace) -> int:
    from durablehost.command import show  # it is not needed to serve an app

    return show.run(given)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; write a number from 0 to 65535")
    return int(text)


def _options(given: argparse.Namespace) -> Options:
    folder = Path(given.folder).absolute()
    if not folder.is_dir():
        raise CannotStart(f"{folder} is not a folder. Name the folder that contains host.json.")
    data = given.data or str(folder / ".durablehost" / "hub.db")
    if data != MEMORY:
        data = str(Path(data).absolute())
    keys = given.auth.absolute() if given.auth else None
    return Options(
        folder,
        given.host,
        given.port,
        data,
        keys,
        functions=tuple(given.functions),
        cors=given.cors,
        cors_credentials=given.cors_credentials,
        verbose=given.verbose,
        movable_clock=given.movable_clock,
    )


def _allow_connections() -> None:
    """Allow a thousand connections: by default a process may open 256 or 1024 files."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # the system may have a lower limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _return_memory() -> None:
    """Return the memory of large values to the system.

    After the first large value, the C library of Linux keeps such memory by default. A history of
    ten megabytes then costs many times that.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def _load(options: Options, watch: Watch | None) -> Host | None:
    """Return the app's host; None if the app does not load but a change may correct that."""
    try:
        return Host(options)
    except CannotStart as error:
        _or_raise(error, watch)
    return None


def _or_raise(error: CannotStart, watch: Watch | None) -> None:
    """Print the error if a change of the app's files may correct it, otherwise raise it."""
    if watch is None or isinstance(error, _NOT_CURED_BY_A_CHANGE):
        raise error
    console.complain(error)


async def _serve(host: Host | None, watch: Watch | None) -> tuple[int | None, list[str]]:
    """Serve until stopped. Returns the exit code; for a restart None and more arguments."""
    stop = asyncio.Event()
    _on_signals(stop)
    if host is not None:
        try:
            await host.start()
        except CannotStart as error:
            _or_raise(error, watch)
            host = None
    if host is None:
        console.say("Waiting until a file of the app changes.")
    changed = await _until_the_end(stop, host, watch)
    console.say(f"\n{changed} has changed: restarting.\n" if changed else "Stopping.")
    if host is not None:
        await host.stop()
    if changed:
        # After the restart it listens on the same port.
        return None, ["--port", str(host.port)] if host is not None else []
    return 1 if host is not None and host.ended.is_set() else 0, []


async def _until_the_end(stop: asyncio.Event, host: Host | None, watch: Watch | None) -> str:
    """Wait for the end. Returns the name of the file that changed; empty for another reason."""
    until: list[Coroutine[Any, Any, object]] = [stop.wait()]
    if host is not None:
        until.append(host.ended.wait())
    change = asyncio.create_task(watch.change()) if watch is not None else None
    waiting: set[asyncio.Task[object]] = {asyncio.create_task(one) for one in until}
    try:
        ended = [*waiting, change] if change is not None else [*waiting]
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        return change.result() if change is not None and change.done() else ""
    finally:
        for task in [*waiting, *([change] if change is not None else [])]:
            task.cancel()


def _on_signals(stop: asyncio.Event) -> None:
    """Stop on a signal; a second Ctrl-C stops at once.

    asyncio's signal handlers are not used, because code that blocks the loop delays them.
    """
    loop = asyncio.get_running_loop()

    def ask(number: int, _: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)
        cut = threading.Timer(_STOPS_WITHIN, _cut_off)
        cut.daemon = True
        cut.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)


def _cut_off() -> NoReturn:
    """End the process at once. Unsaved work is repeated at the next start."""
    console.say("Some code of the app did not end in time. It runs again at the next start.")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    # The app must not import modules from the folder in which durablehost was started.
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
        del sys.path[0]
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A sync function may still hold a thread. It runs again at the next start.
    os._exit(code)
