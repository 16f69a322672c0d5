"""Networks small enough to be made by the tests of what runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SaveNetwork = Callable[..., Path]


@pytest.fixture
def save_network(tmp_path: Path) -> SaveNetwork:
    """`save_network(name, batch="n", gain=2)` writes y = gain a + b for a (1, 3) and b (batch, 3)."""
    onnx = pytest.importorskip("onnx", reason="building a small network needs the train extra")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def save(name: str = "model.onnx", batch: int | str = "n", gain: float = 2.0) -> Path:
        values = {"a": [1, 3], "b": [batch, 3], "y": [batch, 3]}
        a, b, y = (helper.make_tensor_value_info(key, floats, shape) for key, shape in values.items())
        nodes = [
            helper.make_node("Cast", ["a"], ["0_cast"], to=floats),  # to what it is, as exporters leave it behind
            helper.make_node("Mul", ["0_cast", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "b"], ["y"]),
        ]
        graph = helper.make_graph(nodes, "g", [a, b], [y], [helper.make_tensor("gain", floats, [1], [gain])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        helper.set_model_props(model, {"skeleton": "smpl24"})
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture(autouse=True)
def full_precision() -> None:
    """`physhmr train` lets the whole process multiply in bfloat16; the next test may count on more."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_float32_matmul_precision("highest")
