"""An id tells the same work, and only that, and is plain in a URL."""

import inspect

import pytest
from pydantic import TypeAdapter, ValidationError

from activities import ids, limits
from activities.ids import (
    IdPart,
    child_id,
    document_id,
    intake_id,
    is_instance_id,
    month_end_id,
)


def test_the_same_number_of_two_vendors_is_two_intakes() -> None:
    assert intake_id("acme", "INV-1") == "intake:acme:INV-1"
    assert intake_id("acme", "INV-1") != intake_id("bolt", "INV-1")


def test_parts_cannot_be_shifted_into_each_other() -> None:
    with pytest.raises(ValueError, match="use letters"):
        intake_id("acme:INV", "1")


@pytest.mark.parametrize(
    "text", ["", "@counter@x", "a/b", "a\\b", "a b", "..", "a?b", "a#b", "a%2Fb", "ü", "a" * 101]
)
def test_a_text_that_could_change_a_url_or_name_an_entity_is_not_an_id(text: str) -> None:
    assert not is_instance_id(text)


def test_a_document_is_named_by_the_whole_hash_of_what_is_in_it() -> None:
    assert is_instance_id(child_id(document_id("f" * 64), "intake-00000000"))


def test_the_id_of_a_child_is_one() -> None:
    assert is_instance_id("0123456789abcdef0123456789abcdef:3")


def test_the_id_of_a_child_begins_with_that_of_its_parent() -> None:
    assert child_id(month_end_id("2026-10"), "acme") == "month-end:2026-10:acme"


@pytest.mark.parametrize("part", ["", "a:b", "a/b", "B\u00fccher & S\u00f6hne", "a" * 65])
def test_a_part_that_no_id_can_contain_is_replaced_by_its_hash(part: str) -> None:
    found = child_id("month-end:2026-10", part)

    assert is_instance_id(found)
    assert found == child_id("month-end:2026-10", part) != child_id("month-end:2026-10", f"{part}x")
    assert found.startswith("month-end:2026-10:x-")


LONGEST = "a" * limits.ID_PART_CHARS.most
BUILDERS = sorted(
    {name for name in vars(ids) if name.endswith("_id")} - {"child_id", "is_instance_id"}
)
# Arguments that are no names.
GIVEN = {
    "year": 2100,
    "digest": "f" * 64,
    "day": "2026-10-31",
    "date": "2026-10-31",
    "month": "2026-10",
    "currencies": ["USD"] * limits.CURRENCIES.most,
    "vat_id": "DE" + "1" * 13,
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_longest_names_make_an_id_of_100_characters_with_room_for_a_child(name: str) -> None:
    build = getattr(ids, name)
    parameters = inspect.signature(build).parameters

    longest = build(**{each: GIVEN.get(each, LONGEST) for each in parameters})
    child = child_id(longest, LONGEST)

    assert is_instance_id(longest)
    assert is_instance_id(child)
    assert child.startswith(f"{longest}:")


def test_a_uuid_in_an_id_is_whole() -> None:
    number = "0b7a3c52-8f64-4d1e-9c1a-5a1f0c9e7d11"

    assert intake_id("acme", number) == f"intake:acme:{number}"


def test_long_names_that_begin_alike_make_different_ids_each_time_the_same() -> None:
    one, other = f"{LONGEST[1:]}1", f"{LONGEST[1:]}2"

    assert intake_id("acme", one) == intake_id("acme", one) != intake_id("acme", other)
    assert intake_id("acme", one).startswith("intake:acme:aaaaaaaaaaaaaaaaaaa.")


def test_a_child_for_which_its_parent_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 100 characters"):
        child_id("a" * 90, "intake-00000000")


@pytest.mark.parametrize("text", ["", "a:b", "a/b", "-a", "a" * 65, "a\n", "ä"])
def test_a_field_that_cannot_be_part_of_an_id_is_refused_at_the_door(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(IdPart).validate_python(text)
