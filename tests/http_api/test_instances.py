"""What the SDK's client says in words is told apart by them."""

import pytest

from http_api.instances import sdk_problems
from http_api.problems import Problem


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("No instance with ID i found.", 404),
        ("No instance with ID 'i' found.", 404),
        ("Instance with ID i is gone: either completed or failed", 410),
        ("{'Message': 'An Orchestration instance with the status Running already exists.'}", 409),
        ("The operation failed with an unexpected status code 409", 409),
        ("The operation failed with an unexpected status code 412", 409),
    ],
)
def test_the_words_of_the_client_become_a_status(words: str, status: int) -> None:
    with pytest.raises(Problem) as caught, sdk_problems("i"):
        raise Exception(words)

    assert caught.value.status == status


def test_an_unknown_message_of_the_client_stays_an_exception() -> None:
    with pytest.raises(Exception, match="status code 503") as caught, sdk_problems("i"):
        raise Exception("The operation failed with an unexpected status code 503")

    assert not isinstance(caught.value, Problem)
