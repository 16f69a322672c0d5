"""`physhmr models`: a user's file is added with its licence and checksum, found by its name, and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from physhmr.cli import main
from physhmr.errors import ModelFileError, UnknownNameError
from physhmr.inference.model_files import add_model, find_model, known_models, user_models_dir

SaveNetwork = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_model_of_ones_own_is_added_listed_shown_and_verified(
    save_network: SaveNetwork, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save_network()
    command = ["models", "add", "mine", str(file), "--licence", "MIT", "--source", "a friend"]
    assert main(command) == 2
    told = capsys.readouterr()
    assert "licence of mine: MIT" in told.out and "--accept-licence" in told.err
    assert "mine" not in known_models()
    assert main([*command, "--accept-licence"]) == 0
    assert find_model("mine").read_bytes() == file.read_bytes()
    assert find_model("mine").parent == user_models_dir()
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    listing = capsys.readouterr().out
    assert "blazepose_full" in listing and "mine" in listing
    assert main(["models", "card", "mine"]) == 0
    card = capsys.readouterr().out
    for fact in ("MIT", "a friend", hashlib.sha256(file.read_bytes()).hexdigest(), "'b' (?, 3) float32"):
        assert fact in card
    assert main(["models", "verify"]) == 0
    find_model("mine").write_bytes(b"damaged")
    assert main(["models", "verify"]) == 2
    assert main(["models", "verify", "mine"]) == 2
    assert main(["models", "verify", "blazepose_lite"]) == 0


def test_adding_again_replaces_and_keeps_the_others(save_network: SaveNetwork) -> None:
    add_model("one", save_network(), "MIT", "here")
    add_model("two", save_network(gain=3.0), "MIT", "here")
    newer = save_network(gain=4.0)
    add_model("one", newer, "Apache-2.0", "there")
    assert find_model("one").read_bytes() == newer.read_bytes()
    assert known_models()["one"][1].licence == "Apache-2.0"
    assert find_model("two")


def test_what_is_not_a_network_or_not_the_one_meant_is_refused(save_network: SaveNetwork, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="damaged"):
        add_model("mine", tmp_path / "bad.onnx", "MIT", "here")
    with pytest.raises(ModelFileError, match=r"takes 'a' \(1, 3\) float32; blazepose_heavy takes \(1, 256, 256, 3\)"):
        add_model("blazepose_heavy", save_network())
    with pytest.raises(ModelFileError, match="say its licence and source"):
        add_model("mine", save_network())
    with pytest.raises(UnknownNameError, match="blazepose_full"):
        add_model("mine", save_network(), like="blazepose_ful")
    assert not user_models_dir().exists()


def test_a_known_model_that_is_not_here_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelFileError, match=r"README\.md says how .*`physhmr models add blazepose_heavy FILE`"):
        find_model("blazepose_heavy")
    assert main(["models", "card", "blazepose_heavy"]) == 0
    assert "get it" in capsys.readouterr().out


def test_one_like_a_known_one_takes_what_is_known_from_it() -> None:
    entry = add_model("tuned", find_model("blazepose_full"), source="my own training", like="blazepose_lite")
    lite = known_models()["blazepose_lite"][1]
    assert (entry.licence, entry.input_shape, entry.source) == (lite.licence, lite.input_shape, "my own training")
    assert find_model("tuned")


@pytest.mark.parametrize("arguments", [["card"], ["add"], ["add", "mine"]])
def test_what_is_left_out_is_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *arguments]) == 2
    assert "needs the" in capsys.readouterr().err
