"""How clips are harmonized: one object, checked where it is made."""

import inspect
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

import chromacord as cc
from chromacord.cli.arguments.asked import ALL, ENCODING, METHOD, SAME
from chromacord.cli.batch.clips import Clip
from chromacord.cli.clip_lists.planning import FILES

NOT_OF_A_CLIP = {"jobs", "skip_existing", "log_json", "quiet", "manifest", "resume"}
CLUSTER = {"engine", "address", "chunk_frames", "retries"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"strength": 1.5}, "strength must lie in 0..1"),
        ({"strength": "much"}, "write a number in 0..1"),
        ({"consistency": "never"}, "consistency"),
        ({"missing": "guess"}, "missing must be one of error, hold, got 'guess'"),
        ({"device": "tpu"}, "device must be one of cpu, cuda, got 'tpu'"),
        ({"method": 5}, "method must be text or a Method, got 5"),
        ({"exposure": "bright"}, "exposure must be a number, got 'bright'"),
        ({"exposure": 20}, r"exposure must lie in -10\.\.10, got 20"),
        ({"saturation": float("nan")}, "saturation must be a finite number"),
        ({"protect": 30}, "protect must be text, got 30"),
        ({"mask_fit": "yes"}, "mask_fit must be true or false, got 'yes'"),
        ({"encoding": "h264"}, "encoding must be an Encoding, got 'h264'"),
        ({"frames": 5}, "frames must be"),
        ({"frames": (1.5, None)}, "frames must be"),
        ({"config": "none.ocio"}, "none.ocio: no such OpenColorIO configuration"),
        ({"match": "0"}, "match '0': are not shots"),
        ({"match": [1, 3]}, r"match must be text or a list of texts, got \[1, 3\]"),
        ({"match": b"1"}, "match must be text or a list of texts"),
        ({"contact_shadow": "x"}, "contact shadow 'x': is not AMOUNT"),
        ({"wrap": "2"}, "wrap '2': is not AMOUNT"),
        ({"match": ["1", "1"]}, "shot 1 is already matched to other shots"),
        ({"by_shot": "2:exposure=20"}, r"by shot '2:exposure=20': exposure must lie in -10\.\.10"),
        ({"by_shot": 2}, "by_shot must be text or a list of texts, got 2"),
        ({"frames": (4, 4)}, "frames 4:4 is not a range"),
        ({"frames": (-1, None)}, "frames -1: is not a range"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_at_once(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(cc.ChromacordError, match=told):
        cc.Options(**wrong)  # type: ignore[arg-type]
    with pytest.raises(cc.ChromacordError, match=told):
        cc.harmonize_video("none.mp4", mask="none.mp4", output="out.mp4", **wrong)


def test_numbers_of_numpy_are_numbers() -> None:
    assert cc.Options(strength=np.float32(0.5), exposure=np.int64(1)).hand.turn.exposure == 1
    assert cc.Options(frames=[np.int64(2), 4]).range == (2, 4)  # type: ignore[arg-type]


def test_options_do_not_change_and_an_unknown_one_is_refused() -> None:
    with pytest.raises(FrozenInstanceError):
        cc.Options().strength = 0.5  # type: ignore[misc]
    with pytest.raises(TypeError, match="strenght"):
        cc.harmonize_video("none.mp4", mask="none.mp4", output="out.mp4", strenght=0.5)


def test_the_command_line_has_each_option_with_the_same_default() -> None:
    options, defaults = {each.name for each in fields(cc.Options)}, cc.Options()
    assert options == {*SAME, "method", "frames", "encoding"}
    assert {*ALL} == {*SAME, *FILES, *METHOD, *ENCODING, "composite", "foreground", "frames", *NOT_OF_A_CLIP, *CLUSTER}
    assert {name: ALL[name].default for name in SAME} == {name: getattr(defaults, name) for name in SAME}
    assert {*ENCODING} == {each.name for each in fields(cc.Encoding)}


def test_files_are_arguments_of_the_function_and_fields_of_a_clip() -> None:
    arguments = {*inspect.signature(cc.harmonize_video).parameters} - {"options", "changes", "progress"}
    assert arguments == {*FILES, "composite", "foreground"}
    assert {each.name for each in fields(Clip)} == {*arguments, "options", "resume"}


def test_a_listing_shows_what_is_public_before_it_is_used() -> None:
    assert {*cc.__all__} <= {*dir(cc)}
    assert all(getattr(cc, name) is not None for name in cc.__all__)
