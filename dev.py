"""Set up, run, test and check this project: `python dev.py --help`.

Needs Python 3.11 or later and nothing else. The rest it fetches: packages by pip into `.venv` and,
where Node is there, Azurite (a local Azure Storage) by npm into `.azurite`.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

if sys.version_info < (3, 11):  # noqa: UP036  # whoever has an older one is told so
    sys.exit(f"dev.py needs Python 3.11 or later, and {sys.executable} is older")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
NEWEST_VENV = ROOT / ".venv-newest"
PYTHON = str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
AZURITE = ROOT / ".azurite"
AZURITE_VERSION = "3.37.0"
AZURITE_PORTS = (10000, 10001, 10002)
AZURITE_SCRIPT = AZURITE / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
AZURITE_ADDRESS = AZURITE / "connection"  # the connection string, while one of ours runs
# The account that every Azurite has; Microsoft publishes its key.
AZURITE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
SETTINGS = ROOT / "local.settings.json"
TEMPLATES = ROOT / "durablehost" / "templates"
DURABLEHOST_PORT = 7071
SANDBOX_PORT = 7072
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
CHATTER = re.compile(r"Azurite \w+ service (is|successfully) |In-memory extent storage ")
COLOURS = {"dev": 35, "azurite": 36, "sandbox": 33, "durablehost": 32}
REMADE = ("build", "dist", ".durablehost", ".run", ".azurite/data", ".hypothesis")
CACHES = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "*.egg-info")
# Where the folders of one person's machine begin; `/home/site` is the same on every Azure host.
MACHINE_PATH = re.compile(
    r"(?<![\w.-])(/(?:home(?!/site)|root|tmp|work|Users)/|[A-Z]:\\+Users\\)\S*"
)

FIRST_REQUEST = """\
curl -i http://127.0.0.1:{port}/api/invoices -H "x-functions-key: $KEY" \\
    -H 'Content-Type: application/json' \\
    -d '{{"vendor": "acme", "number": "INV-1001", "order": "PO-1001", "amount_cents": 125000}}'"""


def say(text: str, name: str = "dev") -> None:
    """Print a line with the name of the program that it comes from."""
    label = f"{name:>11} |"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        label = f"\x1b[{COLOURS[name]}m{label}\x1b[0m"
    print(label, text, flush=True)


class Failed(Exception):
    """The command cannot go on. The message says everything that a person needs."""


class Stopped(Exception):
    """Somebody stopped the command before it was ready."""


class Children:
    """Child processes that end with a `with` block, however it ends."""

    def __init__(self) -> None:
        self.stopped_by: int | None = None  # the signal by which somebody asked for the end
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._said_ready = threading.Event()
        self._readers: list[threading.Thread] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "Children":
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if number := getattr(signal, name, None):
                self._handlers[number] = signal.signal(number, self._note_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running.values()):
            stop(process)
        for reader in self._readers:
            reader.join(STOP_TIMEOUT)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, name: str, command: list[str], env: dict[str, str]) -> None:
        """Start a process and print its output under its name."""
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # A Ctrl-C reaches dev.py alone, which stops its children one after the other.
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._running[name] = process
        self._readers.append(threading.Thread(target=self._pass_on, args=(name, process)))
        self._readers[-1].start()

    def run(self, command: list[str], env: dict[str, str]) -> int:
        """Run a process in the foreground and return its exit code."""
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, text=True)
        self._running["foreground"] = process
        while process.poll() is None and self.stopped_by is None:
            time.sleep(0.05)
        if self.stopped_by == signal.SIGINT:  # the terminal sent it to the process as well
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                say("it does not end")
        return stop(process)

    def wait_until_ready(self, name: str, *ports: int) -> None:
        """Wait until the process answers HTTP on every port."""
        give_up = time.monotonic() + START_TIMEOUT
        for port in ports:
            while not server_on(port):
                if self.stopped_by is not None:
                    raise Stopped
                if self._running[name].poll() is not None:
                    raise Failed(f"{name} did not start; its output is above")
                if time.monotonic() > give_up:
                    raise Failed(f"{name} does not answer on port {port}")
                time.sleep(0.05)

    def wait_until_listed(self) -> None:
        """Wait until durablehost has printed what it serves; the last line begins `Ready at`."""
        give_up = time.monotonic() + START_TIMEOUT
        while not self._said_ready.wait(0.05) and time.monotonic() < give_up:
            if self.stopped_by is not None:
                raise Stopped

    def wait_for_an_end(self) -> None:
        """Wait until somebody stops the command. A process that ends earlier is a failure."""
        while self.stopped_by is None:
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise Failed(f"{name} ended with exit code {process.returncode}")
            time.sleep(0.1)

    def _note_signal(self, number: int, _: object) -> None:
        self.stopped_by = number

    def _pass_on(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as printed:
            for line in printed:
                if CHATTER.match(line):
                    continue
                try:
                    say(line.rstrip("\r\n"), name)
                except OSError:  # nobody reads our output any more
                    self.stopped_by = signal.SIGTERM
                if line.startswith("Ready at "):
                    self._said_ready.set()


def stop(process: subprocess.Popen[str]) -> int:
    """End a process and its children, first by a signal; return its exit code."""
    if process.poll() is None:
        process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
    try:
        code = process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if os.name != "nt":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return code


def server_on(port: int) -> str:
    """The name of the HTTP server on a port, "unnamed", or an empty text if there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
        error.close()
    except OSError:
        return ""
    return headers.get("Server") or "unnamed"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name != "nt":  # there it would let us bind beside a listener
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> tuple[int, ...]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return ports


def require_free(port: int, option: str) -> None:
    if not is_free(port):
        other = port + 100
        raise Failed(f"port {port} is used by another program; choose another: {option} {other}")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let only one dev.py process of this checkout install something at a time."""
    if fcntl is None:
        yield
        return
    with open(__file__, "rb") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        yield


@one_at_a_time()
def set_up_python() -> None:
    """Create `.venv` and install the packages, unless nothing has changed."""
    stamp = VENV / ".made-from"
    files = b"\0".join((ROOT / n).read_bytes() for n in ("pyproject.toml", "requirements.txt"))
    python, packages = f"{sys.version} {ROOT}", hashlib.sha256(files).hexdigest()
    made_from = stamp.read_text("utf-8").split("\0") if stamp.exists() else ["", ""]
    if made_from == [python, packages]:
        return
    if made_from[0] != python:
        say("creating .venv")
        maker = getattr(sys, "_base_executable", sys.executable)
        if subprocess.run([maker, "-m", "venv", "--clear", str(VENV)], check=False).returncode:
            raise Failed("cannot create .venv; on Debian or Ubuntu: apt install python3-venv")
    say("installing packages with pip: a minute, once")
    pip = [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    wanted = ["-e", f"{ROOT}[dev]", "-r", str(ROOT / "requirements.txt")]
    if subprocess.run(pip + wanted, check=False).returncode:
        raise Failed("pip could not install the packages; its output is above")
    stamp.write_text(f"{python}\0{packages}", "utf-8")


@one_at_a_time()
def set_up_newest_python() -> str:
    """Install the newest versions into `.venv-newest` and return its Python.

    A version is newer than what requirements.txt names and has the same major number: another
    major number is a decision, not an update.
    """
    python = str(NEWEST_VENV / Path(PYTHON).relative_to(VENV))
    if not Path(python).exists():
        say("creating .venv-newest")
        subprocess.run([PYTHON, "-m", "venv", "--clear", str(NEWEST_VENV)], check=True)
    say("installing the newest packages with pip: a minute")
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    newest = ["--upgrade", "--upgrade-strategy", "eager", *newest_requirements()]
    if subprocess.run([*pip, *newest, "-e", f"{ROOT}[dev]"], check=False).returncode:
        raise Failed("pip could not install the packages; its output is above")
    listed = [python, "-m", "pip", "list", "--format", "freeze"]
    found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    names = {requirement.partition(">")[0] for requirement in newest_requirements()}
    say("testing with " + ", ".join(each for each in found if each.partition("=")[0] in names))
    return python


def newest_requirements() -> list[str]:
    """The pinned versions of requirements.txt as ranges up to the next major version."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = re.findall(r"^([\w.-]+)==((\d+)[\w.]*)", "\n".join(lines), re.MULTILINE)
    return [f"{name}>={version},<{int(major) + 1}" for name, version, major in pinned]


@one_at_a_time()
def set_up_azurite() -> bool:
    """Install Azurite if it is missing. Returns False if it cannot be installed."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        say("Node is not installed: everything that needs Azurite is left out")
        return False
    stamp = AZURITE / ".installed"
    if stamp.exists() and stamp.read_text("utf-8") == AZURITE_VERSION:
        return True
    say(f"installing Azurite {AZURITE_VERSION} with npm: half a minute, once")
    AZURITE.mkdir(exist_ok=True)
    quietly = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    install = [npm, "install", "--prefix", str(AZURITE), *quietly, f"azurite@{AZURITE_VERSION}"]
    if subprocess.run(install, stdout=subprocess.DEVNULL, check=False).returncode:
        raise Failed("npm could not install Azurite; to go on without it: --no-azurite")
    stamp.write_text(AZURITE_VERSION, "utf-8")
    return True


def connection_string(ports: tuple[int, ...]) -> str:
    """The connection string of the Azurite on these ports."""
    account = "devstoreaccount1"
    parts = ["DefaultEndpointsProtocol=http", f"AccountName={account}", f"AccountKey={AZURITE_KEY}"]
    for service, port in zip(("Blob", "Queue", "Table"), ports, strict=True):
        parts.append(f"{service}Endpoint=http://127.0.0.1:{port}/{account}")
    return ";".join(parts)


def running_azurite() -> str:
    """The connection string of another `dev.py`'s Azurite, or an empty text."""
    connection = AZURITE_ADDRESS.read_text("utf-8") if AZURITE_ADDRESS.exists() else ""
    port = re.search(r"BlobEndpoint=http://127\.0\.0\.1:(\d+)/", connection)
    return connection if port and "Azurite" in server_on(int(port[1])) else ""


def start_kept_azurite(children: Children) -> str:
    """Start the Azurite with the kept data, or use the one that is running."""
    if connection := running_azurite():
        say("using the Azurite that is already running")
        return connection
    ports = AZURITE_PORTS if all(map(is_free, AZURITE_PORTS)) else free_ports(3)
    named = zip(("--blobPort", "--queuePort", "--tablePort"), map(str, ports), strict=True)
    listening = [word for pair in named for word in pair]
    flags = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    flags += ["--location", str(AZURITE / "data")]
    node = shutil.which("node") or "node"
    children.start("azurite", [node, str(AZURITE_SCRIPT), *listening, *flags], {})
    children.wait_until_ready("azurite", *ports)
    connection = connection_string(ports)
    AZURITE_ADDRESS.write_text(connection, "utf-8")
    say("listening on 127.0.0.1, ports {}, {} and {}".format(*ports), "azurite")
    return connection


def local_values() -> dict[str, object]:
    """The settings in `local.settings.json`."""
    try:
        values: dict[str, object] = json.loads(SETTINGS.read_text("utf-8-sig")).get("Values", {})
    except ValueError as error:
        raise Failed(f"local.settings.json is not JSON: {error}") from None
    return values


def storage_setting(azurite: str) -> dict[str, str]:
    """The setting by which the app finds this Azurite, if `local.settings.json` has another."""
    name, usual = "AzureWebJobsStorage", connection_string(AZURITE_PORTS)
    is_set = name not in os.environ and local_values().get(name) == "UseDevelopmentStorage=true"
    return {} if is_set and azurite == usual else {name: azurite}


def set_up_settings(sandbox_port: int) -> dict[str, str]:
    """Create `local.settings.json` if it is missing. Returns the settings that this run changes."""
    if not SETTINGS.exists():
        say("creating local.settings.json from local.settings.json.example")
        shutil.copyfile(f"{SETTINGS}.example", SETTINGS)
    values = local_values()
    example = json.loads(Path(f"{SETTINGS}.example").read_text("utf-8"))["Values"]
    if missing := sorted(example.keys() - values.keys()):
        say(f"local.settings.json has no {', '.join(missing)}, unlike local.settings.json.example")
    usual, now = f"//127.0.0.1:{SANDBOX_PORT}", f"//127.0.0.1:{sandbox_port}"
    moved = {} if usual == now else {n: str(v) for n, v in values.items() if usual in str(v)}
    return {name: value.replace(usual, now) for name, value in moved.items()}


def set_up_outside(chosen: argparse.Namespace) -> tuple[dict[str, str], bool]:
    """Install what `start_outside` starts. Returns its environment, and whether Azurite exists."""
    require_free(chosen.sandbox_port, "--sandbox-port")
    set_up_python()
    return set_up_settings(chosen.sandbox_port), not chosen.no_azurite and set_up_azurite()


def start_outside(children: Children, port: int, azurite: bool) -> dict[str, str]:
    """Start Azurite and the sandbox. Returns the environment by which the app finds Azurite."""
    env = storage_setting(start_kept_azurite(children)) if azurite else {}
    children.start("sandbox", [PYTHON, "-m", "sandbox", "--port", str(port)], {})
    children.wait_until_ready("sandbox", port)
    return env


def run(chosen: argparse.Namespace) -> int:
    """Run the app, Azurite and the sandbox until Ctrl-C. Arguments after -- go to durablehost."""
    require_free(chosen.port, "--port")
    env, azurite = set_up_outside(chosen)
    durablehost = [PYTHON, "-m", "durablehost", "start", chosen.app, "--port", str(chosen.port)]
    with Children() as children:
        env |= start_outside(children, chosen.sandbox_port, azurite)
        children.start("durablehost", durablehost + chosen.rest, env)
        children.wait_until_ready("durablehost", chosen.port)
        children.wait_until_listed()
        say(f"the app      http://127.0.0.1:{chosen.port}/")
        say(f"the sandbox  http://127.0.0.1:{chosen.sandbox_port}/")
        say("paste this first request into another terminal; Ctrl-C here stops everything:")
        print(FIRST_REQUEST.format(port=chosen.port), flush=True)
        children.wait_for_an_end()
        say("stopping")
    return 0


def sandbox(chosen: argparse.Namespace) -> int:
    """Run Azurite and the sandbox until Ctrl-C, for use beside `func start`."""
    _, azurite = set_up_outside(chosen)
    with Children() as children:
        env = start_outside(children, chosen.sandbox_port, azurite)
        say(f"the sandbox  http://127.0.0.1:{chosen.sandbox_port}/")
        for name, value in env.items():
            say(f"{name}={value}")
        children.wait_for_an_end()
        say("stopping")
    return 0


def test(chosen: argparse.Namespace) -> int:
    """Run the tests, and say which were left out and why. Arguments after -- go to pytest."""
    set_up_python()
    python = set_up_newest_python() if chosen.newest else PYTHON
    # The tests start many processes; each would compile all modules again.
    env = {"PYTHONDONTWRITEBYTECODE": ""}
    if chosen.no_azurite:
        env["NO_AZURITE"] = "--no-azurite was given"
    elif not set_up_azurite():
        env["NO_AZURITE"] = "Azurite needs Node, and Node is not installed"
    # Some tests wait for timers or other processes: one more worker than cores uses that time.
    # In the order of their names, files whose tests wait stand between files whose tests compute.
    workers = str((os.cpu_count() or 1) + 1)
    pytest = [python, "-m", "pytest", "-n", workers, "--dist", "loadfile"]
    pytest.append("--no-loadscope-reorder")
    with Children() as children:
        return children.run(pytest + chosen.rest, env)


def check(chosen: argparse.Namespace) -> int:
    """Check style, types, infra/ and queries, lint the app and the templates, replay histories."""
    set_up_python()
    failed = []
    templates = [str(app.parent.relative_to(ROOT)) for app in TEMPLATES.glob("*/function_app.py")]
    for tool in (
        "ruff check",
        "ruff format --check",
        "mypy .",
        f"durablehost lint . {' '.join(sorted(templates))}",
        "durablehost replay",
        "deployment.bicep",
        "deployment.kql",
    ):
        if subprocess.run([PYTHON, "-m", *tool.split()], cwd=ROOT, check=False).returncode:
            failed.append(tool)
    if places := machine_paths(ROOT):
        failed.append("paths of one machine")
        for place in places:
            say(place)
    say("failed: " + ", ".join(failed) if failed else "all checks passed")
    return 1 if failed else 0


def machine_paths(folder: Path) -> list[str]:
    """The places where a tracked file names a path of one machine."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=folder, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        say("this is not a git checkout: paths of one machine are not looked for")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        file = folder / name
        text = file.read_bytes().decode("utf-8", "replace") if file.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            if path := MACHINE_PATH.search(line):
                found.append(f"{name}:{number} names {path[0][:80]}: write a path that fits all")
    return found


def demo_files(chosen: argparse.Namespace) -> int:
    """Put sample invoices into the `invoices` container of Azurite."""
    set_up_python()
    if not set_up_azurite():
        raise Failed("sample files need Azurite, and Azurite needs Node: install Node 18 or later")
    with Children() as children:
        env = {"AzureWebJobsStorage": start_kept_azurite(children)}
        return children.run([PYTHON, "-m", "sandbox.demo_files", *chosen.rest], env)


def module(chosen: argparse.Namespace) -> int:
    """Run a module of this repository with the arguments that follow."""
    set_up_python()
    with Children() as children:
        return children.run([PYTHON, "-m", chosen.module, *chosen.rest], {})


def setup(chosen: argparse.Namespace) -> int:
    """Install what the other commands need."""
    set_up_python()
    set_up_azurite()
    return 0


def clean(chosen: argparse.Namespace) -> int:
    """Remove caches, task hubs and blobs; with --all also the environments and .azurite."""
    installed = (VENV.name, NEWEST_VENV.name, ".azurite") if chosen.all else ()
    doomed = [ROOT / name for name in (*REMADE, *installed)]
    ours = [folder for folder in ROOT.iterdir() if folder.is_dir() and folder.name[0] != "."]
    doomed += [found for cache in CACHES for found in ROOT.glob(cache)]
    doomed += [found for folder in ours for found in folder.rglob("__pycache__")]
    for folder in doomed:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def show_help(_: argparse.Namespace) -> int:
    """List the targets, one line each."""
    lines = command_lines()
    width = max(map(len, lines))
    for name, what in lines.items():
        print(f"make {name:{width}}  {what}")
    return 0


COMMANDS = {
    "help": show_help,
    "setup": setup,
    "run": run,
    "sandbox": sandbox,
    "test": test,
    "check": check,
    "demo-files": demo_files,
    "clean": clean,
}
MODULES = {
    "conformance": (
        "tests.conformance",
        "Compare the answers of durablehost with recordings of the real host.",
    ),
    "blocks": ("tests.building_blocks", "Show the building blocks that each blueprint needs."),
    "openapi": ("api_description", "Write openapi.json from the routes and their models."),
    "bench": ("bench", "Measure durablehost beside a peer."),
    "soak": ("bench.soak", "Keep durablehost busy for ten minutes; show memory and latency."),
    "settings": ("deployment.settings", "Name or set the settings that an app in Azure lacks."),
    "smoke": ("deployment.smoke", "Send a deployed app one request for each pattern."),
    "faults": ("tests.faults", "Run the tests of the patterns with one fault at a time."),
    "load": ("tests.load", "Send the app all patterns at once, with faults, and audit the result."),
    "chaos": ("tests.chaos", "Kill durablehost at random under load, and check the results."),
}


def command_lines() -> dict[str, str]:
    """A line for each command."""
    lines = {name: (command.__doc__ or "").split("\n")[0] for name, command in COMMANDS.items()}
    return lines | {name: line for name, (_, line) in MODULES.items()}


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, line in command_lines().items():
        command = commands.add_parser(name, help=line)
        if name in MODULES:
            command.set_defaults(command=module, module=MODULES[name][0])
        else:
            command.set_defaults(command=COMMANDS[name])
        if name in ("run", "sandbox", "test"):
            command.add_argument("--no-azurite", action="store_true", help="leave Azurite out")
        if name in ("run", "sandbox"):
            command.add_argument("--sandbox-port", type=int, default=SANDBOX_PORT)
        if name == "run":
            command.add_argument("app", nargs="?", default=".", help="folder of the app to serve")
            command.add_argument("--port", type=int, default=DURABLEHOST_PORT)
        if name == "test":
            newest = "with the newest packages, in an environment beside .venv"
            command.add_argument("--newest", action="store_true", help=newest)
        if name == "clean":
            command.add_argument("--all", action="store_true")
    return parser


def main(arguments: list[str]) -> int:
    rest = arguments.index("--") if "--" in arguments else len(arguments)
    if arguments[:1] and arguments[0] in MODULES:
        rest = min(rest, 1)  # a module reads its arguments itself, with -- before them or without
    chosen = command_line().parse_args(arguments[:rest])
    chosen.rest = arguments[rest:]
    if chosen.rest[:1] == ["--"]:
        del chosen.rest[0]
    try:
        return int(chosen.command(chosen))
    except Failed as failure:
        say(str(failure))
    except (KeyboardInterrupt, Stopped):
        say("stopped")
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
