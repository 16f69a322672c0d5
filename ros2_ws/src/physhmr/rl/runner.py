"""Glue to rsl-rl: the PPO configuration, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from rsl_rl.modules import EmpiricalNormalization
from tensordict import TensorDict

from physhmr.errors import ModelFileError
from physhmr.policy.export import DIVISOR, exported_network
from physhmr.rl.checkpoint import read_checkpoint
from physhmr.rl.symmetric_model import SymmetricModel

NETWORK = {
    "class_name": "physhmr.rl.symmetric_model:SymmetricModel",
    "activation": "elu",
    "obs_normalization": True,
    "hidden_dims": [1024, 512, 256],
}


def actor_config(exploration: float = 0.15) -> dict[str, Any]:
    """The network of both policies; white noise of 0.4 rad * `exploration` does not shake the body down at 0.15."""
    return NETWORK | {
        "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": exploration, "std_type": "log"},
    }


def distillation_config() -> dict[str, Any]:
    """The configuration of rsl-rl's Distillation: the student acts, the expert labels."""
    return {
        "seed": 0,
        "num_steps_per_env": 12,
        "save_interval": 10,
        "obs_groups": {"student": ["policy"], "teacher": ["expert"]},
        "check_for_nan": True,
        "student": actor_config(),
        "teacher": NETWORK | {"class_name": "physhmr.rl.distillation:Teacher"},
        "algorithm": {
            "class_name": "Distillation",
            "num_learning_epochs": 6,
            "gradient_length": 1,
            "learning_rate": 3e-4,
            "max_grad_norm": 1.0,
            "loss_type": "huber",
        },
    }


LEFT_OF_EXPLORATION = 0.09
"""What both policies have come to, for those that an exported file does not tell how much they explored."""
_REFINING = {
    "class_name": "physhmr.rl.distillation:RefiningPPO",
    "learning_rate": 1e-4,
    "critic_warm_up": 20,
    "memory": 0.98,
    "imitation": 0.1,
    "imitation_half_life": 50.0,
}


def refinement_config() -> dict[str, Any]:
    """The configuration of the PPO that refines the vision policy; its critic sees the true motion and where it goes.

    What comes explains a fifth of what is noise in the returns otherwise.
    """
    return continued_config() | {"obs_groups": {"actor": ["policy"], "critic": ["expert", "preview"]}}


def continued_config() -> dict[str, Any]:
    """The configuration of the PPO that goes on with an expert whose critic is gone: a new one is warmed up first."""
    base = ppo_config()
    return base | {"actor": actor_config(LEFT_OF_EXPLORATION), "algorithm": base["algorithm"] | _REFINING}


def ppo_config(save_interval: int = 25) -> dict[str, Any]:
    """The configuration of rsl-rl's PPO for the tracking expert.

    The rate is fixed: 1.5e-4 keeps an iteration's KL near 0.05 with these 19 actions; with an iteration's KL of 1
    learning stalls, and the adaptive schedule's per-batch target drives the rate to its floor of 1e-5.
    """
    return {
        "seed": 0,
        "num_steps_per_env": 12,
        "save_interval": save_interval,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "check_for_nan": True,
        "actor": actor_config(),
        "critic": dict(NETWORK),
        "algorithm": {
            "class_name": "PPO",
            "num_learning_epochs": 4,
            "num_mini_batches": 6,
            "clip_param": 0.2,
            "gamma": 0.98,
            "lam": 0.95,
            "value_loss_coef": 1.0,
            "entropy_coef": 0.0,
            "learning_rate": 1.5e-4,
            "schedule": "fixed",
            "max_grad_norm": 1.0,
            # The clip is meant for unit-scale values; ours reach 30 and would follow at a snail's pace.
            "use_clipped_value_loss": False,
        },
    }


def policy_state(path: Path) -> tuple[dict[str, torch.Tensor], int]:
    """State dict of a policy, and its iteration: of a checkpoint of any stage, or of a file of `physhmr export`.

    Where the training averaged its actor, it is the average.
    """
    if path.suffix == ".onnx":
        state, iteration = exported_network(path)
        deviation = state.pop(DIVISOR) - EmpiricalNormalization(1).eps
        return state | {"obs_normalizer._std": deviation, "obs_normalizer._var": deviation.square()}, iteration
    saved = read_checkpoint(path)
    try:
        if "average" in saved:
            averaged = saved["average"].items()
            state = {name.removeprefix("module."): value for name, value in averaged if name != "n_averaged"}
        else:
            state = saved["student_state_dict" if "student_state_dict" in saved else "actor_state_dict"]
        return state, int(saved["iter"])
    except (KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not a checkpoint of this network: {error!r}") from error


def average_of(
    state: dict[str, torch.Tensor],
    other: dict[str, torch.Tensor],
    parts: tuple[str, ...] = ("mlp.", "obs_normalizer._"),
) -> dict[str, torch.Tensor]:
    """The network half-way between two states of one training (weight averaging, Wortsman et al. 2022).

    Both lie in one basin, so the mean is as good as either, and what one has gained need not cost what the other knew.
    `parts` are what the names of weights begin with; the default is a policy's, without its exploration. Raises
    `ModelFileError` where they are networks of different sizes.
    """
    weights = [name for name in state if name.startswith(parts)]
    unlike = [name for name in weights if name not in other or other[name].shape != state[name].shape]
    if unlike:
        raise ModelFileError(f"only networks of one size have a mean: {unlike[0]} differs")
    return state | {name: 0.5 * (state[name] + other[name]) for name in weights}


def load_actor(checkpoint: Path) -> tuple[torch.nn.Module, int]:
    """The deterministic actor of what `policy_state` reads, and its iteration."""
    state, iteration = policy_state(checkpoint)
    return actor_of(state), iteration


def actor_of(state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """The deterministic actor (normaliser and network, as wide as it was) of a policy's `state`."""
    weights = [state[name] for name in _layers(state)]
    example = TensorDict({"policy": torch.zeros(1, weights[0].shape[1])}, batch_size=[1])
    options = {key: value for key, value in actor_config().items() if key != "class_name"}
    options["hidden_dims"] = [len(weight) for weight in weights[:-1]]
    actor = SymmetricModel(example, {"actor": ["policy"]}, "actor", len(weights[-1]), **options)
    load_policy(actor, state)
    return actor.as_onnx(verbose=False)


def load_policy(network: SymmetricModel, state: dict[str, torch.Tensor]) -> None:
    """Give `network` a policy's `state`, widened where need be; raises RuntimeError where it is another network's.

    What a policy may lack keeps its value: an exported one knows neither its exploration noise nor how many
    observations its normaliser has seen. A teacher, which explores nothing, leaves the noise aside.
    """
    own = network.state_dict()
    optional = {name: own[name] for name in own if name.startswith("distribution.") or name == "obs_normalizer.count"}
    needless = {name for name in state.keys() - own.keys() if name.startswith("distribution.")}
    state = widened(state, own)
    network.load_state_dict(optional | {name: value for name, value in state.items() if name not in needless})


def widened(state: dict[str, torch.Tensor], like: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The function of `state` by a network whose hidden layers are as wide as those of `like` (Net2Net).

    New units see at random and count for nothing yet: what they are worth is learned. Where a layer of `state` is the
    wider one it stays as it is.
    """
    layers, wider = _layers(state), dict(state)
    if len(layers) != len(_layers(like)):
        return wider
    for before, name in zip([None, *layers], layers, strict=False):
        weight, bias = state[name], state[_bias(name)]
        inputs = weight.shape[1] if before is None else len(wider[before])
        outputs = len(weight) if name == layers[-1] else max(len(weight), len(like[name]))
        if weight.shape == (outputs, inputs):
            continue
        fresh = torch.nn.Linear(inputs, outputs).requires_grad_(False)
        fresh.weight[: len(weight)] = 0.0
        fresh.weight[: len(weight), : weight.shape[1]], fresh.bias[: len(bias)] = weight, bias
        wider |= {name: fresh.weight.detach(), _bias(name): fresh.bias.detach()}
    return wider


def _layers(state: dict[str, torch.Tensor]) -> list[str]:
    """Names of the weights of a network's layers, from the first to the last."""
    return [name for name in state if name.startswith("mlp.") and name.endswith("weight")]


def _bias(layer: str) -> str:
    return layer.removesuffix("weight") + "bias"


def latest_checkpoint(log_dir: Path) -> Path | None:
    """The checkpoint with the highest iteration in `log_dir`, or None."""
    found = sorted(log_dir.glob("model_*.pt"), key=lambda path: int(path.stem.split("_")[1]))
    return found[-1] if found else None
