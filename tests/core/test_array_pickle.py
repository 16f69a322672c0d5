"""Pickled arrays come back as they were; a pickle that would do anything else is refused and does nothing."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physhmr.errors import MotionFileError
from physhmr.motion import array_pickle
from physhmr.motion.array_pickle import load_array_pickle

VALUES: dict[str, Any] = {
    "floats": np.arange(6.0).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "strided": np.arange(10)[::2],
    "big_endian": np.arange(3, dtype=">i4"),
    "mask": np.array([True, False]),
    "texts": np.array(["one", "two"]),
    "empty": np.zeros((0, 3)),
    "number": np.float64(2.5),
    "nested": {"list": [1, "a", None, np.ones(2)], "tuple": (np.zeros(1), 2.0)},
}


def same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    elif isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    else:
        assert found == wanted


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_come_back(protocol: int) -> None:
    same(load_array_pickle("a", pickle.dumps(VALUES, protocol)), VALUES)


def test_arrays_of_objects_become_lists() -> None:
    mixed = np.array([np.ones(2), "text"], dtype=object)
    same(load_array_pickle("a", pickle.dumps(mixed)), [np.ones(2), "text"])


def test_python_2_strings_and_arrays_come_back() -> None:
    """Protocol 2 as Python 2 writes it: bytes are `str`, numpy's core has its old name."""
    state = b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
    raw = np.array([1.5, -2.0]).tobytes()
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    content = b"\x80\x02" + head + state + b"T\x10\x00\x00\x00" + raw + b"tb."
    np.testing.assert_array_equal(load_array_pickle("old", content), [1.5, -2.0])


class Asks:
    """A pickle that has `function` called with `arguments` when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


MARK = Path("a_pickle_ran_code")


@pytest.mark.parametrize(
    "bomb",
    [
        Asks(exec, f"open({str(MARK)!r}, 'w')"),
        Asks(os.system, f"touch {MARK}"),
        Asks(subprocess.check_output, ["touch", str(MARK)]),
        Asks(open, str(MARK), "w"),
        Asks(getattr, "", "join"),
        Asks(__import__, "os"),
        Asks(np.load, str(MARK)),
        Asks(np.ndarray, (2,)),
        np.dtype([("a", "f8")]),
        np.array(["2026-01-01"], dtype="datetime64[D]"),
        np.random.default_rng(0),
        np.ma.masked_array([1.0]),
        {"poses": Asks(exec, f"open({str(MARK)!r}, 'w')")},
        np.array([Asks(os.system, f"touch {MARK}")], dtype=object),
        np.ndarray,
        np.dtype("f8"),
    ],
)
def test_whatever_else_a_pickle_asks_for_is_refused(
    bomb: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in (2, 4, 5):
        with pytest.raises(MotionFileError, match="bomb is not a pickle of plain arrays"):
            load_array_pickle("bomb", pickle.dumps({"a": 1, "bomb": bomb}, protocol))
    assert not list(tmp_path.iterdir())


# Opcodes: c names a class, b sets its state, R calls it. None may reach the stand-ins themselves.
@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy.core.multiarray\n_reconstruct\n(N}S'__new__'\nI1\nstb.",
        b"cnumpy\nndarray\n}S'numpy'\nI1\nsb.",
        b"cnumpy\ndtype\n(N}S'numpy'\nI1\nstb.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(I1\nS'a'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"(dcnumpy\ndtype\n(S'f8'\ntRI1\ns.",
        b"Pid\n.",
        b"\x82\x01.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b.",
    ],
)
def test_hostile_opcodes_are_refused(content: bytes) -> None:
    before = {name: dict(vars(made)) for name, made in array_pickle._KNOWN.items()}
    with pytest.raises(MotionFileError):
        load_array_pickle("hostile", content)
    assert {name: dict(vars(made)) for name, made in array_pickle._KNOWN.items()} == before


def array_with(shape: tuple[int, ...], raw: bytes) -> bytes:
    class Forged:
        def __reduce__(self) -> Any:
            function, arguments, state = np.zeros(1).__reduce__()
            return function, arguments, (state[0], shape, state[2], False, raw)

    return pickle.dumps(Forged())


@pytest.mark.parametrize("shape", [(3,), (10**15,), (-1, 7), (-5,), ("a",)])
def test_shapes_that_do_not_fit_their_bytes_are_refused(shape: tuple[Any, ...]) -> None:
    with pytest.raises(MotionFileError):
        load_array_pickle("forged", array_with(shape, np.zeros(2).tobytes()))


def test_what_is_shared_or_holds_itself_stays_finite() -> None:
    laughs: list[Any] = [0]
    for _ in range(60):
        laughs = [laughs, laughs]
    found = load_array_pickle("laughs", pickle.dumps(laughs))
    assert found[0] is found[1]
    ring: list[Any] = []
    ring.append(ring)
    again = load_array_pickle("ring", pickle.dumps(ring))
    assert again[0] is again


def test_a_far_place_in_the_memo_costs_nothing() -> None:
    assert load_array_pickle("far", b"\x80\x02}r\xff\xff\xff\x7f.") == {}


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04", b"(" * 100_000])
def test_damaged_pickles_are_refused(content: bytes) -> None:
    with pytest.raises(MotionFileError, match="broken"):
        load_array_pickle("broken", content)


CONTENT = pickle.dumps(VALUES, 2)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 255))
def test_damage_anywhere_is_an_error_of_ours_or_harmless(place: int, value: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] = value
    try:
        load_array_pickle("damaged", bytes(damaged))
    except MotionFileError as error:
        assert "damaged" in str(error)
