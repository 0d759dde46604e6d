"""Whatever is sent to the management API, the answer is the host's or a clear 4xx."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.durablehost.apps import write_app
from tests.durablehost.web.raw_http import MANAGEMENT, RawAnswer, send
from tests.durablehost_process import Started, running

JSON = (b"Content-Type: application/json",)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = write_app(tmp_path_factory.mktemp("bad") / "app")
    with running(folder, "--data", folder.parent / "hub.db") as host:
        yield host


@pytest.fixture
def host(shared: Started) -> Iterator[Started]:
    """A durablehost that goes on after every test, with no fault of its own in its log."""
    before = len(shared.lines)
    yield shared
    assert shared.run_to_its_end("chain") == 4
    said = "\n".join(shared.lines[before:])
    assert "Traceback" not in said
    assert "error: " not in said


def manage(
    host: Started, method: str, path: str, body: bytes | None = None, *headers: bytes
) -> RawAnswer:
    return send(host, method.encode(), MANAGEMENT + path.encode(), body, headers or JSON)


NOT_JSON = {
    "nothing of the kind": b"{bad",
    "cut off": b'{"a": [1, 2',
    "two values": b"1 2",
    "not utf-8": b'"\xff\xfe"',
    "too large to be a number": b"1e999",
    "too many digits": b"1" * 5000,
    "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
    "100,000 brackets never closed": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "65 brackets": b"[" * 65 + b"]" * 65,
    "a NUL": b"\0",
}


@pytest.mark.parametrize("name", NOT_JSON)
@pytest.mark.parametrize(
    "path",
    ["/orchestrators/taking", "/instances/open/raiseEvent/X", "/entities/counter/one?op=add"],
)
def test_a_body_that_is_not_json_is_refused(host: Started, path: str, name: str) -> None:
    manage(host, "POST", "/orchestrators/waiting/open", b"")

    answer = manage(host, "POST", path, NOT_JSON[name])

    assert answer.status == 400
    assert answer.json()["Message"] == "Invalid JSON content"


ODD_JSON = {
    "64 brackets": b"[" * 64 + b"]" * 64,
    "a NUL": b'{"a\\u0000": "\\u0000"}',
    "a large number": b"123456789012345678901234567890",
    "a number near the largest": b"1.7976931348623157e308",
    "one key twice": b'{"a": 1, "a": 2}',
    "a long key": b'{"' + b"k" * 100_000 + b'": 1}',
    "characters of every plane": '"é✓\U0001f600"'.encode(),
    "only blanks": b"  null ",
    "a megabyte": json.dumps(["x" * 100] * 10_000).encode(),
}


@pytest.mark.parametrize("name", ODD_JSON)
def test_odd_json_is_taken_and_comes_back_as_json(host: Started, name: str) -> None:
    value = json.loads(ODD_JSON[name])
    started = manage(host, "POST", "/orchestrators/waiting", ODD_JSON[name])
    at = f"/instances/{started.json()['id']}"

    raised = manage(host, "POST", f"{at}/raiseEvent/Go", ODD_JSON[name])
    signalled = manage(host, "POST", "/entities/counter/odd?op=add", ODD_JSON[name])
    manage(host, "POST", f"{at}/terminate?reason=done", b"")
    shown = manage(host, "GET", f"{at}?showHistory=true&showHistoryOutput=true")

    assert [started.status, raised.status, signalled.status] == [202, 202, 202]
    assert shown.json()["input"] in (value, None)


# What .NET takes for JSON, and what the real host makes of it.
DOTNET_JSON = {
    "nan": ("NaN", "NaN"),
    "infinite": ('{"a": [-Infinity]}', {"a": ["-Infinity"]}),
    "a control character in a text": ('"\x01\n"', "\x01\n"),
    "half a surrogate pair": ('{"a": "\\ud800"}', {"a": "\ufffd"}),
    "a byte order mark": ('\ufeff{"a": 1}', {"a": 1}),
    "single quotes": ("""{'it\\'s': 'a "b" \\\\ c'}""", {"it's": 'a "b" \\ c'}),
    "names without quotes": ("{a: 1, b2: {_c: 2}}", {"a": 1, "b2": {"_c": 2}}),
    "commas after the last": ('[1, {"a": "x,]",}, ]', [1, {"a": "x,]"}]),
    "comments": ('{"a": /* one */ "// none", // two\n "b": 2}', {"a": "// none", "b": 2}),
}


@pytest.mark.parametrize("name", DOTNET_JSON)
def test_json_that_only_dotnet_takes_is_taken(host: Started, name: str) -> None:
    text, value = DOTNET_JSON[name]

    started = manage(host, "POST", "/orchestrators/waiting", text.encode())
    shown = manage(host, "GET", f"/instances/{started.json()['id']}")

    assert shown.json()["input"] == value


def test_a_comment_before_the_input_makes_the_status_unreadable(host: Started) -> None:
    started = manage(host, "POST", "/orchestrators/waiting", b"/* odd */ 1").json()["id"]

    assert manage(host, "GET", f"/instances/{started}").status == 500
    assert manage(host, "POST", f"/instances/{started}/terminate", b"").status in (202, 410)


def test_half_a_character_in_a_comment_is_replaced(host: Started) -> None:
    """UTF-7 can write it."""
    utf_7 = b"Content-Type: application/json; charset=utf-7"

    started = manage(host, "POST", "/orchestrators/waiting", b"/* +2AA- */ 1", utf_7)

    assert started.status == 202


def odd(text: str) -> str:
    return quote(text, safe="")


ODD_NAMES = {
    "a NUL": "%00",
    "a line break": odd("a\nb"),
    "an escape": odd("\x1b[2J"),
    "a surrogate": "%ED%A0%80",
    "no utf-8": "%FF%FE",
    "half an escape": "%",
    "a broken escape": "%zz%u0041",
    "an escaped slash": "a%2Fb",
    "dots": "..%2f..%2fetc",
    "right to left": odd("a\u202eb"),
    "a long one": "n" * 5000,
    "an emoji": odd("\U0001f600"),
    "sql": odd("'; DROP TABLE instances; --"),
    "a pattern": odd("%_*?["),
    "an entity's id": "@counter@x",
    "blanks": "%20%20",
}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_served_or_refused_wherever_a_name_stands(host: Started, name: str) -> None:
    odd_name = ODD_NAMES[name]
    at = f"/instances/odd-names-{list(ODD_NAMES).index(name)}"
    manage(host, "POST", at.replace("/instances", "/orchestrators/waiting"), b"")
    manage(host, "POST", "/entities/counter/x?op=add", b"1")
    requests = [
        ("POST", f"/orchestrators/{odd_name}", b"{}"),
        ("POST", f"/orchestrators/waiting/{odd_name}", b"{}"),
        ("POST", f"/orchestrators/waiting?version={odd_name}", b"{}"),
        ("GET", f"/instances/{odd_name}?showHistory=true", None),
        ("GET", f"/instances?instanceIdPrefix={odd_name}&top={odd_name}", None),
        ("GET", f"/instances?createdTimeFrom={odd_name}&runtimeStatus={odd_name}", None),
        ("POST", f"{at}/raiseEvent/{odd_name}", b"1"),
        ("POST", f"{at}/{odd_name}", b""),
        ("POST", f"{at}/suspend?reason={odd_name}", b""),
        ("POST", f"{at}/resume?reason={odd_name}", b""),
        ("POST", f"/instances/{odd_name}/raiseEvent/Go", b"1"),
        *(
            ("POST", f"/instances/{odd_name}/{operation}", b"")
            for operation in ("suspend", "restart", "rewind", "terminate")
        ),
        ("POST", f"/entities/counter/{odd_name}?op={odd_name}", b"1"),
        ("POST", f"/entities/{odd_name}/one?op=add", b"1"),
        ("GET", f"/entities/{odd_name}?fetchState=true", None),
        ("GET", f"/entities/counter/{odd_name}", None),
        ("DELETE", f"/instances/{odd_name}", None),
        ("DELETE", f"/entities/counter/{odd_name}", None),
    ]

    answers = [(path, manage(host, method, path, body)) for method, path, body in requests]

    for path, answer in answers:
        # Resuming what has not been suspended yet is 500, as recorded.
        assert answer.status < 500 or ("resume" in path and answer.status == 500), path
        assert not answer.is_json or answer.json() is not None
    assert manage(host, "POST", "/entities/counter/x?op=add", b"1").status == 202


def test_an_id_of_ten_thousand_characters_is_refused(host: Started) -> None:
    for path in (f"/orchestrators/chain/{'i' * 10_000}", f"/instances/{'i' * 10_000}"):
        assert 400 <= manage(host, "POST", path, b"{}").status < 500
    longest, too_long = "i" * 256, "i" * 257
    assert manage(host, "POST", f"/orchestrators/chain/{longest}", b"{}").status == 202
    refused = manage(host, "POST", f"/orchestrators/chain/{too_long}", b"{}")
    assert refused.status == 400
    assert "256 characters" in refused.json()["ExceptionMessage"]


def test_an_entity_goes_on_although_somebody_takes_it_for_an_instance(host: Started) -> None:
    manage(host, "POST", "/entities/counter/mistaken?op=add", b"1")
    exists = (manage(host, "GET", "/entities/counter/mistaken").status == 200 for _ in range(1000))
    assert any(exists)
    answers = [
        manage(host, "POST", f"/instances/@counter@mistaken/{operation}", b"1")
        for operation in ("raiseEvent/Go", "terminate", "suspend", "resume", "rewind", "restart")
    ]
    started = manage(host, "POST", "/orchestrators/chain/@counter@mistaken", b"{}")

    assert {answer.status for answer in (*answers, started)} == {400}
    assert "is an entity" in answers[0].json()["Message"]
    signalled = host.manage("POST", "/entities/counter/mistaken?op=add", 1)
    assert signalled.status == 202


@pytest.mark.parametrize(
    ("reason", "status"),
    [("[" * 2000, 400), ("[" * 2000 + "]" * 2000, 400), ('"\\ud800"', 202), ("NaN", 202)],
)
@pytest.mark.parametrize("operation", ["suspend", "terminate"])
def test_a_reason_is_read_as_text_or_refused(
    host: Started, operation: str, reason: str, status: int
) -> None:
    started = manage(host, "POST", "/orchestrators/waiting", b"").json()["id"]
    path = f"/instances/{started}"

    answer = manage(host, "POST", f"{path}/{operation}?reason={odd(reason)}", b"")
    manage(host, "POST", f"{path}/resume", b"")
    manage(host, "POST", f"{path}/terminate?reason=end", b"")

    assert answer.status == status
    assert host.ask("GET", f"/api/result/{started}").status == 200


def test_an_instance_with_an_id_like_an_entitys_does_not_spoil_their_list(host: Started) -> None:
    assert manage(host, "POST", "/orchestrators/chain/@odd", b"{}").status == 202
    assert manage(host, "POST", "/entities/counter/listed?op=add", b"1").status == 202

    for path in ("/entities", "/entities?fetchState=true", "/entities/odd"):
        assert manage(host, "GET", path).status == 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("timeout=nan&pollingInterval=nan", 400),
        ("timeout=inf&pollingInterval=1", 400),
        ("timeout=1e300&pollingInterval=1", 400),
        ("timeout=-1&pollingInterval=-2", 400),
        ("timeout=1&pollingInterval=5", 400),
        ("timeout=soon&pollingInterval=1", 202),
        ("timeout=0&pollingInterval=0", 202),
        ("timeout=" + "9" * 5000 + "&pollingInterval=1", 400),
    ],
)
def test_a_wait_that_would_have_no_end_is_refused(host: Started, asked: str, status: int) -> None:
    assert manage(host, "POST", f"/orchestrators/waiting?{asked}", b"{}").status == status


@pytest.mark.parametrize(
    "asked",
    [
        "top=" + "9" * 5000,
        "top=-1",
        "top=%D9%A3",
        "createdTimeFrom=0001-01-01T00:00:00%2B23:59",
        "createdTimeTo=9999-12-31T23:59:59-23:59",
        "createdTimeFrom=10000-01-01",
        "runtimeStatus=,,,Running,%00",
        "instanceIdPrefix=%F4%8F%BF%BF",
        "&&&=&==&%=%",
        "top=1&TOP=2&top=",
    ],
)
def test_a_list_ignores_parameters_that_it_cannot_read(host: Started, asked: str) -> None:
    for path in (f"/instances?{asked}", f"/entities?{asked}&lastOperationTimeFrom=0001-01-01"):
        answer = manage(host, "GET", path)
        assert answer.status == 200
        assert isinstance(answer.json(), list)


@pytest.mark.parametrize("token", [b"junk", b"\xff\xfe", b"AAAA", b"=" * 100, b"7aCA"])
def test_a_foreign_continuation_token_returns_a_page_or_is_refused(
    host: Started, token: bytes
) -> None:
    answer = manage(host, "GET", "/instances", None, b"x-ms-continuation-token: " + token)

    assert answer.status in (200, 400)


@pytest.mark.parametrize(
    "header",
    [
        b"Host: \xff\xfe",
        b"Host: a b",
        b"Host: a\\b",
        b"Host: a, b",
        b"Host: <script>",
        b"X-Odd: \xff",
        b"Content-Type: application/json; charset=\xc3\xa9\xff",
    ],
)
def test_a_header_that_could_not_be_written_again_is_refused(host: Started, header: bytes) -> None:
    headers = (header,) if header.startswith(b"Content-Type") else (header, *JSON)

    assert manage(host, "POST", "/orchestrators/waiting", b"{}", *headers).status == 400


@pytest.mark.parametrize("charset", ["nothing", "base64", "undefined", "a\\b", "utf-16", "idna"])
def test_a_charset_that_does_not_fit_is_refused(host: Started, charset: str) -> None:
    content_type = f"Content-Type: application/json; charset={charset}".encode()

    answer = manage(host, "POST", "/orchestrators/taking", b'{"a": "\xc3\xa9"}', content_type)

    assert answer.status == 400
    assert answer.json()["Message"] == "Invalid JSON content"


SEGMENTS = st.sampled_from(
    [
        "chain",
        "waiting",
        "taking",
        "counter",
        "one",
        "two",
        "$",
        "@counter@one",
        "@counter",
        "Go",
        "%",
    ]
) | st.text(max_size=12).map(lambda text: quote(text.encode("utf-8", "replace"), safe="%"))
SHAPES = st.sampled_from(
    [
        "/orchestrators/{}",
        "/orchestrators/{}/{}",
        "/instances",
        "/instances/{}",
        "/instances/{}/{}",
        *(f"/instances/{{}}/{o}" for o in ("terminate", "suspend", "resume", "rewind", "restart")),
        "/instances/{}/raiseEvent/{}",
        "/entities",
        "/entities/{}",
        "/entities/{}/{}",
        "/makeprimary",
        "/{}/{}/{}/{}/{}",
        "/",
        "",
    ]
)
PATHS = st.builds(
    lambda shape, parts: shape.format(*parts), SHAPES, st.lists(SEGMENTS, min_size=5, max_size=5)
).map(str.encode) | st.binary(max_size=20).map(lambda b: b"/" + b.translate(None, b" \r\n"))
PARAMETERS = st.sampled_from(
    [
        *("top", "instanceIdPrefix", "createdTimeFrom", "createdTimeTo", "runtimeStatus"),
        *("showInput", "showHistory", "showHistoryOutput", "returnInternalServerErrorOnFailure"),
        *("reason", "op", "version", "fetchState", "restartWithNewInstanceId", "taskHub", "code"),
        *("lastOperationTimeFrom", "lastOperationTimeTo", "timeout", "pollingInterval"),
    ]
)
VALUES = st.sampled_from(["true", "false", "0", "1", "-1", "nan", "2026-01-01", "Running"]) | (
    st.text(max_size=8).map(lambda text: quote(text.encode("utf-8", "replace"), safe=""))
)
QUERIES = st.lists(st.tuples(PARAMETERS, VALUES).map("=".join), max_size=4).map("&".join)
METHODS = st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
BODIES = st.none() | st.binary(max_size=30) | TREES.map(lambda tree: json.dumps(tree).encode())
TYPES = st.sampled_from(["application/json", "text/plain", "application/json; charset=utf-16", ";"])


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example("POST", b"/orchestrators/waiting/one", "", b"{}", "application/json")
@example("POST", b"/entities/counter/one", "op=add", b"1", "application/json")
@given(METHODS, PATHS, QUERIES, BODIES, TYPES)
def test_no_request_to_a_management_route_makes_durablehost_fail(
    host: Started, method: str, path: bytes, query: str, body: bytes | None, content_type: str
) -> None:
    target = MANAGEMENT + path + b"?" + query.encode()
    answer = send(host, method.encode(), target, body, (f"Content-Type: {content_type}".encode(),))

    as_recorded = answer.status == 500 and (
        b"orchestration instance in the" in answer.body  # suspended twice, resumed while running
        or b'"runtimeStatus":"Failed"' in answer.body  # returnInternalServerErrorOnFailure
    )
    assert answer.status < 500 or as_recorded, answer.raw
    assert b"Traceback" not in answer.raw
    if answer.is_json and answer.body:
        answer.json()
