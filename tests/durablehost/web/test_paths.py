"""A request's target, read as Kestrel reads it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durablehost.web.paths import decoded_path, encoded_path, query_parameters


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_path_encoded_for_a_url_decodes_to_itself_again(text: str) -> None:
    decoded = decoded_path(encoded_path(f"/{text}"))

    assert decoded_path(encoded_path(decoded)) == decoded


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("?", {}),
        ("?a=1&a=2&b=x%20y", {"a": "1,2", "b": "x y"}),
        ("?a=1&A=2", {"a": "1,2"}),
        ("?a=1+2&b=%2B%2F", {"a": "1 2", "b": "+/"}),
        ("?a=&b&c=1", {"c": "1"}),
        ("?a=1&a=&a=2", {"a": "1,2"}),
        ("?a=b=c&&=d", {"a": "b=c", "": "d"}),
        ("?a=%FF%zz", {"a": "%FF%zz"}),
        ("?%C3%BC=%C3%9F", {"ü": "ß"}),
    ],
)
def test_a_query_is_read_as_the_host_reads_it(query: str, expected: dict[str, str]) -> None:
    assert query_parameters(query) == expected


@settings(deadline=None)
@given(st.text())
def test_no_query_makes_the_reader_raise(query: str) -> None:
    assert all(isinstance(value, str) for value in query_parameters(query).values())
