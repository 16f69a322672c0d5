"""Which engine is chosen: the best that works, never silently a worse one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.errors import ConfigError, EngineError, ModelFileError
from physhmr.inference import choose
from physhmr.inference.choose import AUTO, ENGINES, ON_GPU, PRECISION_OF, STEPS, EngineConfig, candidates, open_engines
from physhmr.inference.nvidia import NvidiaGpu, find_gpu
from physhmr.inference.onnx import PROVIDERS

GPU = NvidiaGpu("Test GPU", (8, 9))
libraries = st.sets(st.sampled_from(ENGINES[1:])).map(lambda found: found | {"onnx"})


@given(libraries, st.sampled_from([None, GPU]))
def test_auto_always_ends_with_what_is_always_there(found: set[str], gpu: NvidiaGpu | None) -> None:
    order = candidates(AUTO, gpu, found)
    assert order[-1].engine == "onnx"
    assert {choice.engine for choice in order} <= found
    fast = [choice.engine for choice in order[:-1]]
    assert fast == ([name for name in ON_GPU if name in found] if gpu else [])
    # The CPU is no fault where there is no GPU, and one where there is.
    assert order[-1].degraded == (gpu is not None)
    assert not any(choice.degraded for choice in order[:-1])


@given(libraries, st.sampled_from([None, GPU]), st.sampled_from(ENGINES[1:]))
def test_what_is_asked_for_is_tried_alone_or_refused_with_the_step_to_take(
    found: set[str], gpu: NvidiaGpu | None, wanted: str
) -> None:
    if wanted in found:
        assert [choice.engine for choice in candidates(wanted, gpu, found)] == [wanted]
    else:
        with pytest.raises(EngineError) as refused:
            candidates(wanted, gpu, found)
        assert STEPS[wanted] in str(refused.value)


def test_a_fast_engine_that_fails_is_told_of_and_the_next_one_runs(
    save_network: Callable[..., Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(engine: str, threads: int) -> None:
        raise EngineError("the driver is too old")

    monkeypatch.setattr(choose, "library", missing)
    with caplog.at_level(logging.WARNING):
        engines, choice = open_engines(
            [save_network()], EngineConfig(cache=tmp_path), lambda: GPU, lambda: {"onnx", "tensorrt_rtx"}
        )
    assert (choice.engine, choice.degraded) == ("onnx", True)
    assert "tensorrt_rtx: the driver is too old" in choice.reason
    assert engines[0].name == "onnx on cpu, fp32"
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_single_wish_that_fails_is_an_error(
    save_network: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(engine: str, threads: int) -> None:
        raise EngineError("the driver is too old")

    monkeypatch.setattr(choose, "library", missing)
    with pytest.raises(EngineError, match="driver is too old"):
        open_engines([save_network()], EngineConfig("tensorrt_rtx"), lambda: GPU, lambda: {"tensorrt_rtx"})


def test_without_a_gpu_the_cpu_is_chosen_and_told(
    save_network: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        _, choice = open_engines([save_network()], EngineConfig(), lambda: None)
    assert choice.engine == "onnx" and not choice.degraded
    assert "onnx on cpu, fp32 (no NVIDIA GPU here)" in caplog.text


def test_a_damaged_model_is_no_reason_to_try_another_engine(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="damaged"):
        open_engines([tmp_path / "bad.onnx"], EngineConfig(), lambda: None)


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_precisions_that_an_engine_lacks_are_refused(engine: str) -> None:
    for precision in ("fp32", "fp16", "bf16", "int8"):
        if precision in PRECISION_OF[engine]:
            assert EngineConfig(engine, precision).precision == precision
        else:
            with pytest.raises(ConfigError, match=f"for engine '{engine}'"):
                EngineConfig(engine, precision)


def test_unknown_engines_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of auto, onnx"):
        EngineConfig("tensorflow")
    with pytest.raises(ConfigError, match="to be built"):
        choose.library("onnx")


def test_providers_that_are_not_installed_are_refused(save_network: Callable[..., Path]) -> None:
    from physhmr.inference.onnx import OnnxEngine

    if "onnx_cuda" in choose.ready():
        pytest.skip("this ONNX Runtime has the CUDA provider")
    with pytest.raises(EngineError, match="onnxruntime-gpu"):
        OnnxEngine(save_network(), device="cuda")


def test_a_provider_that_does_not_start_is_an_error_and_not_the_cpu(
    save_network: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime itself would only print a line and go on, on the CPU."""
    session, asked = onnxruntime.InferenceSession, []

    def on_the_cpu(path: str, options: object, providers: list) -> onnxruntime.InferenceSession:
        asked.append(providers)
        return session(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    monkeypatch.setattr(onnxruntime, "InferenceSession", on_the_cpu)
    for name in ("onnx_cuda", "onnx_tensorrt"):
        with pytest.raises(EngineError, match="does not start here"):
            open_engines([save_network()], EngineConfig(name), lambda: GPU)
    assert [providers[0][0] for providers in asked] == [PROVIDERS["cuda"], PROVIDERS["tensorrt"]]
    assert asked[1][1] == PROVIDERS["cuda"]


def test_the_driver_answers_or_there_is_none() -> None:
    gpu = find_gpu()
    assert gpu is None or (gpu.name and gpu.compute_capability >= (3, 0))
