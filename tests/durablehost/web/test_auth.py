"""Keys: where they come from, and what each of them opens."""

import json
import stat
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from durablehost.errors import CannotStart
from durablehost.web.auth import Keys, Level, level_of, load_keys

KEYS = Keys(master="m-key", function="f-key", durable="d-key", blobs="b-key", enforced=True)


def opens(keys: Keys, level: Level, path: str = "/", header: str | None = None) -> bool:
    headers = CIMultiDict({"x-functions-key": header} if header is not None else {})
    return keys.open(level, make_mocked_request("GET", path, headers=headers))


@pytest.mark.parametrize(
    ("level", "opened_by"),
    [
        ("anonymous", {"m-key", "f-key", "d-key", "b-key", "wrong", ""}),
        ("function", {"m-key", "f-key"}),
        ("admin", {"m-key"}),
        ("durable", {"m-key", "d-key"}),
        ("blobs", {"m-key", "b-key"}),
    ],
)
def test_each_auth_level_accepts_its_own_key_and_the_master_key(
    level: Level, opened_by: set[str]
) -> None:
    keys = ("m-key", "f-key", "d-key", "b-key", "wrong", "")

    assert {key for key in keys if opens(KEYS, level, f"/?code={key}")} == opened_by
    assert {key for key in keys if opens(KEYS, level, header=key)} == opened_by


def test_the_header_goes_before_the_query() -> None:
    assert not opens(KEYS, "function", "/?code=f-key", header="wrong")
    assert opens(KEYS, "function", "/?code=wrong", header="f-key")


@pytest.mark.parametrize(
    ("query", "is_open"),
    [
        ("?code=f-key", True),
        ("?CODE=f-key", True),
        ("?code=f%2Dkey", True),
        ("?code=f-key&code=wrong", True),
        ("?code=wrong&code=f-key", False),
        ("?xcode=f-key", False),
        ("", False),
    ],
)
def test_the_first_code_of_the_query_counts(query: str, is_open: bool) -> None:
    assert opens(KEYS, "function", f"/api/x{query}") is is_open


@pytest.mark.parametrize("wrong", ["é", "f-key ", "F-KEY", "f-ke", "f-keyy"])
def test_only_the_exact_key_is_accepted(wrong: str) -> None:
    assert not opens(KEYS, "function", header=wrong)


@pytest.mark.parametrize("level", ["function", "admin", "durable", "blobs"])
def test_keys_that_are_not_enforced_open_everything_to_everybody(level: Level) -> None:
    assert opens(load_keys(None), level)


def test_no_request_is_master_if_keys_are_not_enforced() -> None:
    request = make_mocked_request("GET", f"/?code={Keys().master}")

    assert not Keys().is_master(request)


def test_without_a_file_urls_carry_the_same_key_at_every_start() -> None:
    assert load_keys(None) == load_keys(None)
    assert load_keys(None).durable


@pytest.mark.parametrize(
    ("auth_level", "level"),
    [
        ("ANONYMOUS", "anonymous"),
        ("anonymous", "anonymous"),
        ("FUNCTION", "function"),
        ("ADMIN", "admin"),
        (None, "function"),
    ],
)
def test_a_binding_names_its_level(auth_level: object, level: Level) -> None:
    assert level_of(auth_level) == level


def test_a_file_that_is_not_there_is_made_with_random_keys_for_its_owner_alone(
    tmp_path: Path,
) -> None:
    keys, others = load_keys(tmp_path / "keys.json"), load_keys(tmp_path / "others.json")

    assert keys.enforced
    ours = {keys.master, keys.function, keys.durable, keys.blobs}
    assert len(ours | {others.master, others.durable}) == 6
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert min(map(len, ours)) >= 40


def test_a_file_is_read_again_at_the_next_start(tmp_path: Path) -> None:
    assert load_keys(tmp_path / "keys.json") == load_keys(tmp_path / "keys.json")


def test_the_keys_are_those_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(
        json.dumps({name: f"{name[0]}-key" for name in ("master", "function", "durable", "blobs")})
    )

    assert load_keys(path) == KEYS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON: line 1"),
        ("[]", "does not contain a JSON object"),
        ('{"master": "a", "function": "b"}', "durable is missing"),
        ('{"master": "a", "function": "b", "durable": "c"}', "blobs is missing"),
        ('{"master": "", "function": "b", "durable": "c"}', "master is no key"),
        ('{"master": "a", "function": 5, "durable": "c"}', "function is no key"),
    ],
)
def test_a_file_without_keys_is_refused_with_advice(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "keys.json").write_text(text)

    with pytest.raises(CannotStart, match=rf"keys\.json.*{says}"):
        load_keys(tmp_path / "keys.json")


def test_a_file_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"keys\.json cannot be written: No such file"):
        load_keys(tmp_path / "nowhere" / "keys.json")
