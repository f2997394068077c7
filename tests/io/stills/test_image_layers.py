"""Which of an EXR's layers is the picture."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from chromacord.errors import InputError, MismatchError, UnreadableFileError
from chromacord.io import open_source
from chromacord.io.stills.image_layers import choose_layer, find_layers, rivals
from tests.images import Pixels, noise, parts, write, write_parts
from tests.images import copy as copied

RGB, RGBA = ("R", "G", "B"), ("R", "G", "B", "A")


def named(*layers: str, channels: tuple[str, ...] = RGB) -> list[str]:
    return [f"{layer}.{channel}" if layer else channel for layer in layers for channel in channels]


@pytest.mark.parametrize(
    ("names", "chosen", "others"),
    [
        (named("", "DiffCol", "N"), "rgba", ()),
        (named("AO", ""), "rgba", ()),
        (named("ViewLayer.AO", "ViewLayer.Combined"), "ViewLayer.Combined", ("ViewLayer.AO",)),
        (named("DiffCol", "beauty"), "beauty", ("DiffCol",)),
        (named("diffuse_color", "C"), "C", ("diffuse_color",)),
        (named("specular", "RGBA"), "RGBA", ("specular",)),
        (named("crypto00", "main_pass"), "main_pass", ("crypto00",)),
        (named("Depth", "Normal", "shot010"), "shot010", ("Depth", "Normal")),
        (named("normals", "IndexOB", "P"), "normals", ("IndexOB", "P")),
        (["Y", *named("beauty")], "beauty", ()),
        (["depth.Y", *named("key")], "key", ()),
        ([*named("light", channels=("r", "g", "b"))], "light", ()),
        ([*named("right"), *named("")], "rgba", ("right",)),
        (named("left", "right"), "left", ("right",)),
        (named("depth", "beauty.right", "beauty.left"), "beauty.right", ("depth", "beauty.left")),
        (["Z"], "Z", ()),
    ],
)
def test_the_beauty_is_taken_and_what_else_it_might_be_is_known(
    names: list[str], chosen: str, others: tuple[str, ...]
) -> None:
    layers = find_layers([("", names)])
    found = choose_layer(layers)
    assert (found.title, rivals(layers, found)) == (chosen, others)


@pytest.mark.parametrize(
    ("file", "chosen", "subimage"),
    [
        ([("N", RGB), ("rgba", RGBA)], "rgba", 1),
        ([("depth", ("Z",)), ("left", RGB), ("right", RGB)], "left", 1),
        ([("depth", ("Z",)), ("matte", ("Y",)), ("key light", RGB)], "key light", 2),
        ([("Combined", named("Combined")), ("AO", named("AO"))], "Combined", 0),
        ([("hero", named("normal", "beauty"))], "beauty", 0),
        ([("hero", named("normal")), ("hero2", named("beauty"))], "hero2.beauty", 1),
    ],
)
def test_parts_are_layers_by_their_names(file: list, chosen: str, subimage: int) -> None:
    found = choose_layer(find_layers(file))
    assert (found.title, found.subimage) == (chosen, subimage)


def test_alpha_belongs_to_its_own_layer() -> None:
    names = ["A", *named("beauty", channels=RGBA), *named("AO")]
    assert [layer.channels for layer in find_layers([("", names)])] == [(1, 2, 3, 4), (5, 6, 7)]


@pytest.mark.parametrize("wanted", ["ViewLayer.AO", "ao", "AO", "viewlayer.ao"])
def test_a_layer_can_be_chosen_by_its_name_or_the_end_of_it(wanted: str) -> None:
    layers = find_layers([("", named("ViewLayer.AO", "ViewLayer.Combined"))])
    assert choose_layer(layers, wanted).title == "ViewLayer.AO"
    assert choose_layer(find_layers([("", named("", "AO"))]), "RGBA").name == ""


def test_a_name_that_tells_no_layer_is_refused_with_all_names() -> None:
    layers = find_layers([("", named("a.key", "b.key"))])
    with pytest.raises(InputError, match=r"^'key' matches several layers; choose one of a\.key, b\.key$"):
        choose_layer(layers, "key")
    with pytest.raises(InputError, match=r"^'fill' is not a layer; choose one of a\.key, b\.key$"):
        choose_layer(layers, "fill")


@pytest.mark.parametrize("names", [("X", "Y", "Z"), ("Y", "RY", "BY"), ("U", "V"), ("l.X", "l.Y", "l.Z")])
def test_what_is_no_rgb_is_no_grey_picture_either(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = write(tmp_path / "a.exr", noise(len(names), "half"), "half", names=names)
    with pytest.raises(
        UnreadableFileError,
        match=r"a\.exr: has no R, G and B channels and no Y channel, only .*; convert it",
    ):
        open_source(path)


def make(path: Path, names: list[str]) -> Pixels:
    pixels = noise(len(names), "half")
    write(path, pixels, "half", names=names)
    return pixels


def test_the_chosen_layer_is_read_and_only_it_is_written(tmp_path: Path) -> None:
    names = named("AO", "beauty", "key")
    pixels = make(tmp_path / "a.exr", names)
    for layer, first in ((None, 3), ("key", 6), ("AO", 0)):
        source = open_source(tmp_path / "a.exr", layer=layer)
        (frame,) = source.frames()
        np.testing.assert_array_equal(np.stack(frame.planes, -1), pixels[..., first : first + 3])
        assert source.info.layer == (layer or "beauty")
        copied(source, tmp_path / f"{first}.exr")
        assert np.array_equal(parts(tmp_path / f"{first}.exr")[0][1], parts(tmp_path / "a.exr")[0][1])


def test_a_part_that_is_no_first_one_is_read_and_written(tmp_path: Path) -> None:
    file = []
    for name, seed in (("N", 0), ("rgba", 1)):
        spec = oiio.ImageSpec(18, 12, 3, "half")
        spec.attribute("oiio:subimagename", name)
        file.append((spec, noise(3, "half", seed=seed)))
    write_parts(tmp_path / "a.exr", file)
    source = open_source(tmp_path / "a.exr")
    assert (source.info.layer, source.info.other_layers) == ("rgba", ("N",))
    np.testing.assert_array_equal(np.stack(next(source.frames()).planes, -1), file[1][1])
    copied(source, tmp_path / "b.exr")
    for (_, before), (_, after) in zip(parts(tmp_path / "a.exr"), parts(tmp_path / "b.exr"), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_layer_that_is_missing_is_refused_with_the_file(tmp_path: Path) -> None:
    make(tmp_path / "a.exr", named("beauty"))
    with pytest.raises(InputError, match=r"a\.exr: 'AO' is not a layer; choose one of beauty"):
        open_source(tmp_path / "a.exr", layer="AO")
    with pytest.raises(InputError, match=r"a\.mp4: a video has no layers"):
        open_source(tmp_path / "a.mp4", layer="AO")


def test_frames_whose_picture_is_another_layer_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "a.0001.exr", named("beauty", "key"))
    make(tmp_path / "a.0002.exr", named("fill", "key"))
    with pytest.raises(MismatchError, match=r"a\.0002\.exr: its picture is layer fill, that of a\.0001\.exr is beauty"):
        list(open_source(tmp_path / "a.%04d.exr").frames())
    assert len(list(open_source(tmp_path / "a.%04d.exr", layer="key").frames())) == 2
