import pytest

from chromacord.cli.arguments.values import parse_frames
from chromacord.errors import InputError


@pytest.mark.parametrize(
    ("text", "span"),
    [(None, None), ("3:9", (3, 9)), (":9", (None, 9)), ("3:", (3, None)), (":", (None, None)), ("0:1", (0, 1))],
)
def test_a_range_is_half_open_and_either_side_may_be_left_out(text: str | None, span: object) -> None:
    assert parse_frames(text) == span


@pytest.mark.parametrize("text", ["", "7", "1:2:3", "a:", "-1:4", "1.5:2", "4:4", ":0", "9:3"])
def test_what_is_no_range_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(InputError, match=f"--frames {text}:"):
        parse_frames(text)
