"""Which function a path is for, as ASP.NET's route templates say."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durablehost.app.functions import Function, Place
from durablehost.errors import CannotStart
from durablehost.web.paths import encoded_path
from durablehost.web.routes import Router, route_of

RECORDED = Path(__file__).parents[2] / "conformance" / "http" / "recorded.json"


def function(name: str, route: str | None = None, *methods: str) -> Function:
    trigger: dict[str, object] = {"type": "httpTrigger", "name": "req"}
    if route is not None:
        trigger["route"] = route
    if methods:
        trigger["methods"] = list(methods)
    return Function(
        name=name,
        kind="http",
        trigger=trigger,
        bindings=(trigger,),
        handler=lambda req: req,
        is_async=False,
        place=Place("function_app.py", 7),
    )


def values(route: str, path: str) -> dict[str, str] | None:
    """What the only route of an app makes of a path; None where it does not fit."""
    found = Router([function("f", route)], "api").match("GET", path)
    return found and found[1]


def name_of(router: Router, path: str, method: str = "GET") -> str | None:
    found = router.match(method, path)
    return found and found[0].name


@pytest.mark.parametrize(
    ("route", "path", "expected"),
    [
        ("show", "/api/show", {}),
        ("show", "/API/Show/", {}),
        ("show", "/api/show?a=1", {}),
        ("show", "http://localhost:7071/api/show?a=1", {}),
        ("show", "/api/./x/../show", {}),
        ("show", "/../api/show", {}),
        ("show", "/api/show/x/..", {}),
        ("show", "/api/%73how", {}),
        ("über", "/api/%C3%9CBER", {}),
        ("show", "/api/show//", None),
        ("show", "/api//show", None),
        ("show", "/show", None),
        ("show", "/api", None),
        ("show", "/", None),
        ("show", "", None),
        ("show", "*", None),
        ("show", "/api/show/more", None),
        ("show", "/api/show%00", None),
        ("items/{id}", "/api/items/5", {"id": "5"}),
        ("items/{id}", "/api/items/a%20b", {"id": "a b"}),
        ("items/{id}", "/api/items/a+b", {"id": "a+b"}),
        ("items/{id}", "/api/items/a%2Fb", {"id": "a%2Fb"}),
        ("items/{id}", "/api/items/a%2fb", {"id": "a%2fb"}),
        ("items/{id}", "/api/items/%C3%BC", {"id": "ü"}),
        ("items/{id}", "/api/items/%FF%41", {"id": "%FFA"}),
        ("items/{id}", "/api/items/%zz", {"id": "%zz"}),
        ("items/{id}", "/api/items/CaSe", {"id": "CaSe"}),
        ("items/{id}", "/api/items/", None),
        ("items/{id}", "/api/items", None),
        ("opt/{a}/{b?}", "/api/opt/1", {"a": "1"}),
        ("opt/{a}/{b?}", "/api/opt/1/2", {"a": "1", "b": "2"}),
        ("opt/{a}/{b?}", "/api/opt/1/2/3", None),
        ("page/{n=1}", "/api/page", {"n": "1"}),
        ("page/{n=1}", "/api/page/2", {"n": "2"}),
        ("page/{n:int=1}", "/api/page", {"n": "1"}),
        ("page/{n:int=1}", "/api/page/x", None),
        ("page/{n:int?}", "/api/page", {}),
        ("page/{n:int?}", "/api/page/x", None),
        ("page/{n=}", "/api/page", {"n": ""}),
        ("{lang=en}/page", "/api/page", None),
        ("{lang=en}/page", "/api/de/page", {"lang": "de"}),
        ("rest/{*path}", "/api/rest/a/b/c", {"path": "a/b/c"}),
        ("rest/{*path}", "/api/rest/a//b/", {"path": "a//b/"}),
        ("rest/{*path}", "/api/rest/a%2Fb", {"path": "a%2Fb"}),
        ("rest/{**path}", "/api/rest/a/b", {"path": "a/b"}),
        ("rest/{*path}", "/api/rest", {}),
        ("rest/{*path}", "/api/rest/", {}),
        ("rest/{*path}", "/api/rest//a", None),
        ("rest/{*path=all}", "/api/rest", {"path": "all"}),
        ("rest/{*path:int}", "/api/rest", None),
        ("rest/{*path:int}", "/api/rest/5", {"path": "5"}),
        ("op/{id}:{verb}", "/api/op/x1:suspend", {"id": "x1", "verb": "suspend"}),
        ("op/{id}:{verb}", "/api/op/a:b:c", {"id": "a:b", "verb": "c"}),
        ("op/{id}:{verb}", "/api/op/x1", None),
        ("op/{id}:{verb}", "/api/op/:go", None),
        ("op/{id}:{verb}", "/api/op/x1:", None),
        ("{name}.{ext?}", "/api/a.b.txt", {"name": "a.b", "ext": "txt"}),
        ("{name}.{ext?}", "/api/readme", {"name": "readme"}),
        ("{name}.{ext?}", "/api/readme.", None),
        ("v{n}", "/api/V12", {"n": "12"}),
        ("v{n}", "/api/xv12", None),
        ("v{n}", "/api/v", None),
        ("{n}px", "/api/12PX", {"n": "12"}),
        ("{n}px", "/api/12pxx", None),
        ("a-{x}-{y}-z", "/api/A-1-2-3-z", {"x": "1-2", "y": "3"}),
        ("{{raw}}/{id}", "/api/{raw}/1", {"id": "1"}),
        ("show/", "/api/show", {}),
        ("é{x}É", "/api/%C3%89ß%C3%A9", {"x": "ß"}),
    ],
)
def test_a_path_fits_a_route_or_does_not(
    route: str, path: str, expected: dict[str, str] | None
) -> None:
    assert values(route, path) == expected


@pytest.mark.parametrize(
    ("constraint", "fits", "fits_not"),
    [
        ("int", ["12", "-5", "+5", "%2012", "2147483647"], ["x", "1.0", "2147483648", "1_0", "٣"]),
        ("long", ["2147483648", "-9223372036854775808"], ["9223372036854775808", "9" * 5000]),
        ("bool", ["true", "FALSE", "%20true"], ["1", "yes"]),
        (
            "datetime",
            ["2026-11-21", "2026-11-21T05:06:07Z", "11%2d21%2d2026"],
            ["soon", "2026-13-01"],
        ),
        (
            "decimal",
            ["1.5", "1,000.5", "-.5", "5-", "79228162514264337593543950335"],
            ["1e3", "9" * 30],
        ),
        ("double", ["1.5", "1e3", "NaN", "-Infinity", "1e999"], ["x", "1e", "."]),
        ("float", ["1.5", "-1E-3"], ["1.5f"]),
        (
            "guid",
            ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3F2504E04F8911D39A0C0305E82C3301"],
            ["x", "3f2504e0-4f89-11d3-9a0c-0305e82c330", "3f2504e04f89-11d3-9a0c-0305e82c3301"],
        ),
        ("minlength(3)", ["abc", "😀a"], ["ab"]),
        ("maxlength(3)", ["abc", "a"], ["abcd", "😀😀"]),
        ("length(3)", ["abc"], ["ab", "abcd"]),
        ("length(2,3)", ["ab", "abc"], ["a", "abcd"]),
        ("min(5)", ["5", "500"], ["4", "x"]),
        ("max(5)", ["5", "-9"], ["6", "x"]),
        ("range(2, 4)", ["2", "4"], ["1", "5", "x"]),
        ("alpha", ["aZ"], ["a1", "é"]),
        ("required", ["x"], []),
        ("regex(^a[0-9]$)", ["a1", "A1"], ["b1", "a1x"]),
        (r"regex(^\d{{3}}$)", ["123"], ["12", "1234"]),
        ("regex(^a:b=c$)", ["a:b=c"], ["abc"]),
        ("regex(^(a|b)$):minlength(1)", ["a"], ["c", "ab"]),
        ("regex((?<year>[0-9]{{4}}))", ["x2026"], ["26"]),
        ("regex((?<=a)b)", ["ab"], ["b"]),
        ("int:range(1,9):max(5)", ["5"], ["6", "0", "x"]),
        ("INT", ["5"], ["x"]),
        ("file", ["a.txt"], ["a", "a."]),
        ("nonfile", ["a"], ["a.txt"]),
    ],
)
def test_a_constraint_lets_through_what_it_names(
    constraint: str, fits: list[str], fits_not: list[str]
) -> None:
    router = Router([function("f", f"x/{{p:{constraint}}}")], "api")

    assert [p for p in fits if router.match("GET", f"/api/x/{p}") is None] == []
    assert [p for p in fits_not if router.match("GET", f"/api/x/{p}") is not None] == []


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ("/show", "two slashes"),
        ("a//b", "two slashes"),
        ("{id", "a brace has no partner"),
        ("id}", "a brace has no partner"),
        ("{}", "a brace has no partner"),
        ("{*a}/b", "has to be last"),
        ("x{*a}", "needs its own segment"),
        ("{*a?}", "cannot be optional"),
        ("{a}x{b?}", "after a dot"),
        ("{a}{b}", "no text stands between 'a' and 'b'"),
        ("{a?}x", "has to end its segment"),
        ("{a}-{b?}", "after a dot"),
        ("{a}/{A}", "stands there twice"),
        ("{a:int=5?}", "is optional and has a default"),
        ("{a*}", "'a\\*' is no name"),
        ("what?", "outside of a parameter's braces"),
        ("{a:whole}", "there is no constraint 'whole'; there are alpha, bool"),
        ("{a:int(5)}", "no constraint 'int\\(5\\)'"),
        ("{a:min(x)}", "'min\\(x\\)' takes whole numbers"),
        ("{a:range(1)}", "no constraint 'range\\(1\\)'"),
        ("{a:regex([)}", "is none"),
        ("{a:min(1}", "is not closed"),
    ],
)
def test_a_route_that_cannot_be_read_says_why_and_where(route: str, says: str) -> None:
    with pytest.raises(CannotStart, match=rf"function_app\.py:7: the route .* of 'f' .*{says}"):
        Router([function("f", route)], "api")


def test_the_first_by_name_wins_though_a_literal_comes_later() -> None:
    special, one = function("special_item", "items/special"), function("one_item", "items/{id}")

    assert name_of(Router([special, one], "api"), "/api/items/special") == "one_item"


def test_names_are_ordered_without_regard_to_case() -> None:
    router = Router([function("b_any", "{x}"), function("A_any", "{y}")], "api")

    assert name_of(router, "/api/1") == "A_any"


def test_functions_on_one_route_differ_by_method() -> None:
    router = Router([function("get", "same", "GET"), function("post", "same", "post")], "api")

    assert name_of(router, "/api/same", "GET") == "get"
    assert name_of(router, "/api/same", "POST") == "post"
    assert name_of(router, "/api/same", "DELETE") is None


def test_a_method_that_does_not_fit_leaves_the_path_to_the_next_route() -> None:
    router = Router([function("a", "{x}", "GET"), function("b", "{*x}")], "api")

    assert name_of(router, "/api/1", "PUT") == "b"


def test_a_route_takes_every_method_unless_it_names_some() -> None:
    router = Router([function("f", "show"), function("g", "get", "GET")], "api")

    assert [name_of(router, "/api/show", m) for m in ("GET", "HEAD", "BREW")] == ["f", "f", "f"]
    assert name_of(router, "/api/get", "HEAD") is None


@pytest.mark.parametrize("route", [None, ""])
def test_without_a_route_a_function_is_found_by_its_name(route: str | None) -> None:
    assert name_of(Router([function("by_name", route)], "api"), "/api/BY_NAME") == "by_name"


@pytest.mark.parametrize(
    ("prefix", "path"),
    [("", "/items/1"), ("a/b", "/A/b/items/1"), ("{tenant}", "/any/items/1")],
)
def test_the_prefix_stands_before_every_route(prefix: str, path: str) -> None:
    router = Router([function("f", "items/{id}")], prefix)

    assert name_of(router, path) == "f"
    assert name_of(router, "/api/items/1/2") is None


def test_without_a_prefix_a_route_can_take_the_root() -> None:
    assert name_of(Router([function("f", "{*rest}")], ""), "/") == "f"
    assert name_of(Router([function("f", "/show")], ""), "/show") == "f"


def test_only_http_functions_have_routes() -> None:
    timer = Function(
        name="tick",
        kind="timer",
        trigger={"type": "timerTrigger"},
        bindings=(),
        handler=lambda: None,
        is_async=False,
        place=Place("function_app.py", 1),
    )

    assert Router([timer], "api").match("GET", "/api/tick") is None


def test_a_request_reaches_the_right_one_of_a_hundred_routes() -> None:
    many = [function(f"f{i}", f"things{i}/{{id}}/part") for i in range(100)]
    router = Router([*many, function("zz", "{kind}/{id}/part")], "api")

    assert all(name_of(router, f"/api/things{i}/x/part") == f"f{i}" for i in range(100))
    assert name_of(router, "/api/other/x/part") == "zz"


def test_every_recorded_path_is_routed_as_recorded() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    router = Router(
        [
            function("plain", "show"),
            function("only_get", "only-get", "GET"),
            function("same_get", "same", "GET"),
            function("same_post", "same", "POST"),
            function("one_item", "items/{id}"),
            function("special_item", "items/special"),
            function("number", "numbers/{n:int}"),
            function("guid", "guids/{g:guid}"),
            function("optional", "opt/{a}/{b?}"),
            function("rest", "rest/{*path}"),
            function("colon", "op/{id}:{verb}", "POST"),
            function("named_function"),
        ],
        "api",
    )
    for scenario in ("methods", "routes", "route_params"):
        steps = zip(recorded[scenario]["steps"], recorded[scenario]["answers"], strict=True)
        for step, answer in steps:
            method, path = step["http"]
            found = router.match(method, encoded_path(path.replace("//", "/", 1)))
            assert (found is not None) == (answer["status"] == 200), path
            if found and isinstance(answer["body"], dict):
                assert found[1] == answer["body"]["route"], path


def test_route_of_names_the_whole_template() -> None:
    assert route_of(function("f", "items/{id}"), "api") == "api/items/{id}"
    assert route_of(function("f"), "") == "f"


ROUTES = [
    "items/{id}", "op/{id}:{verb}", "{name}.{ext?}", "a-{x}-{y}-z", "rest/{*path}", "n/{n:int}",
    "d/{d:datetime}", "m/{m:decimal}", "f/{f:double}", "g/{g:guid}", "l/{l:length(2,3)}",
    "r/{r:regex(^a+$)}", "b/{b:bool?}", "{lang=en}/x/{y?}", "file/{f:file}",
]  # fmt: skip


@settings(deadline=None)
@given(
    st.text()
    | st.text(alphabet="/api-.%2F:{}x1?#\0 éß\ud800").map("/api/{}".format)
    | st.tuples(st.sampled_from(["n", "d", "m", "f", "g", "l", "r", "b", "op"]), st.text()).map(
        lambda pair: f"/api/{pair[0]}/{pair[1]}"
    ),
    st.text(),
)
def test_no_path_makes_the_router_raise(path: str, method: str) -> None:
    router = Router([function(f"f{i}", route) for i, route in enumerate(ROUTES)], "api")

    found = router.match(method, path)

    assert found is None or all(isinstance(value, str) for value in found[1].values())


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="/\0%")))
def test_a_parameter_arrives_as_it_was_escaped(value: str) -> None:
    path = "".join(f"%{byte:02X}" for byte in value.encode())

    expected = {"id": value} if value not in ("", ".", "..") else None
    assert values("items/{id}", f"/api/items/{path}") == expected
