"""The vision policy: what it sees of rays, how it begins as the expert, what its teacher says, and that it learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")
pytest.importorskip("tensorboard")

from tensordict import TensorDict  # noqa: E402

from physhmr.approach import LOST_LEASH  # noqa: E402
from physhmr.body.humanoid_mjcf import standing_qpos  # noqa: E402
from physhmr.body.keypoints import keypoint_points, keypoints_of  # noqa: E402
from physhmr.body.skeleton import BALANCE_HINGES, Skeleton, mirror_name  # noqa: E402
from physhmr.body.soles import corner_positions  # noqa: E402
from physhmr.cli.data import main as data_command  # noqa: E402
from physhmr.cli.train import main as train_command  # noqa: E402
from physhmr.config import ControlConfig  # noqa: E402
from physhmr.errors import ConfigError, ModelFileError  # noqa: E402
from physhmr.follower import make_follower  # noqa: E402
from physhmr.geometry.rays import ray_residual  # noqa: E402
from physhmr.geometry.rotation import quat_to_matrix, rotvec_to_quat, yaw_of, yaw_quat  # noqa: E402
from physhmr.halt import halting_motion  # noqa: E402
from physhmr.lifting.encoded_lifter import EncodedLifter  # noqa: E402
from physhmr.motion.clip import clip_velocities, mirror_qpos  # noqa: E402
from physhmr.motion.library import LibraryClip, save_library  # noqa: E402
from physhmr.motion.lifted import LiftedView  # noqa: E402
from physhmr.policy.action import NUM_ACTIONS, on_all_hinges, residual_target  # noqa: E402
from physhmr.policy.export import EXPLORATION, VisionModule, export_expert, export_vision  # noqa: E402
from physhmr.policy.kinematics import Kinematics, PlacedPoints  # noqa: E402
from physhmr.policy.mirror import mirror_action, mirror_observation  # noqa: E402
from physhmr.policy.observation import (  # noqa: E402
    EXPERT_SIZE,
    MAX_RESIDUAL,
    VISION_SIZE,
    expert_observation,
    preview_observation,
    ray_observation,
)
from physhmr.policy.runtime import VisionPolicy  # noqa: E402
from physhmr.rl.checkpoint import read_checkpoint  # noqa: E402
from physhmr.rl.distillation import RefiningPPO, Teacher, prepare_refinement, teach  # noqa: E402
from physhmr.rl.env import TrackingEnvCfg  # noqa: E402
from physhmr.rl.reference_bank import ReferenceBank  # noqa: E402
from physhmr.rl.runner import (  # noqa: E402
    actor_config,
    actor_of,
    average_of,
    latest_checkpoint,
    load_actor,
    load_policy,
    policy_state,
    refinement_config,
)
from physhmr.rl.symmetric_model import SymmetricModel  # noqa: E402
from physhmr.rl.training import ResumableRunner  # noqa: E402
from physhmr.rl.validation import WholeClips, WholeViews, follow  # noqa: E402
from physhmr.rl.vision_env import VisionEnv  # noqa: E402
from physhmr.types import (  # noqa: E402
    KEYPOINTS,
    NQ,
    NUM_HINGES,
    NUM_KEYPOINTS,
    Array,
    HumanoidState,
    MotionClip,
    RayBundle,
    Reference,
)

SKELETON = Skeleton()
_OTHERS = [index for index in range(NUM_HINGES) if index not in BALANCE_HINGES]
KINEMATICS, PLACED = Kinematics(SKELETON), PlacedPoints(keypoint_points(SKELETON))


def poses(seed: int, count: int = 6) -> Array:
    random = np.random.default_rng(seed)
    qpos = standing_qpos(SKELETON) + random.normal(0, 0.15, (count, NQ))
    qpos[:, 3:7] = rotvec_to_quat(random.normal(0, 0.5, (count, 3)))
    return qpos


def sights(seed: int, count: int = 6) -> tuple[Array, Array, Array]:
    """Origins (N, 1, 3), directions, and scores of which some are zero."""
    random = np.random.default_rng(seed)
    direction = random.normal(size=(count, NUM_KEYPOINTS, 3))
    score = random.uniform(-0.3, 1.0, (count, NUM_KEYPOINTS)).clip(0.0)
    return (
        random.normal(0, 2.0, (count, 1, 3)),
        direction / np.linalg.norm(direction, axis=-1, keepdims=True),
        score,
    )


def seen(qpos: Array, origin_w: Array, dir_w: Array, score: Array) -> torch.Tensor:
    """(N, 84) what is seen of rays from a pose."""
    body = KINEMATICS(torch.tensor(qpos, dtype=torch.float32), torch.zeros(len(qpos), 75))
    return ray_observation(
        body, PLACED(body), *(torch.tensor(x, dtype=torch.float32) for x in (origin_w, dir_w, score))
    )


def test_residuals_are_those_of_the_geometry_in_the_heading_frame() -> None:
    qpos, (origin_w, dir_w, score) = poses(0), sights(1)
    points_w = keypoints_of(qpos, SKELETON)
    # Rays that pass within reach of their keypoints.
    near = points_w + 0.1 * np.random.default_rng(2).normal(size=points_w.shape) - origin_w
    dir_w = near / np.linalg.norm(near, axis=-1, keepdims=True)
    R_wh = quat_to_matrix(yaw_quat(yaw_of(qpos[:, 3:7])))
    expected = ray_residual(origin_w, dir_w, points_w) @ R_wh * (score > 0)[..., None]
    told = seen(qpos, origin_w, dir_w, score).numpy()
    np.testing.assert_allclose(told[:, :63].reshape(-1, 21, 3), expected, atol=1e-4)
    np.testing.assert_allclose(told[:, 63:], score, atol=1e-6)


def test_no_residual_is_larger_than_stated_and_unseen_ones_are_zero() -> None:
    told = seen(poses(0), *sights(1))
    lengths = told[:, :63].reshape(-1, 21, 3).norm(dim=-1)
    assert lengths.max() == pytest.approx(MAX_RESIDUAL, abs=1e-4)
    assert (lengths[told[:, 63:] == 0] == 0).all() and (told[:, 63:] == 0).any()


def test_seeing_commutes_with_mirroring() -> None:
    qpos, (origin_w, dir_w, score) = poses(3), sights(4)
    swap, flip = [KEYPOINTS.index(mirror_name(name)) for name in KEYPOINTS], np.array([1.0, -1.0, 1.0])
    here, there = (
        seen(qpos, origin_w, dir_w, score),
        seen(mirror_qpos(qpos), origin_w * flip, dir_w[:, swap] * flip, score[:, swap]),
    )
    padded = torch.zeros(len(qpos), EXPERT_SIZE)
    mirrored = mirror_observation(torch.cat([padded, here], 1))
    torch.testing.assert_close(mirrored[:, EXPERT_SIZE:], there, atol=1e-4, rtol=1e-4)
    action = torch.randn(3, NUM_ACTIONS)
    torch.testing.assert_close(mirror_action(mirror_action(action)), action)


def model(width: int, actions: int, config: dict, seed: int) -> SymmetricModel:
    torch.manual_seed(seed)
    options = {key: value for key, value in config.items() if key != "class_name"}
    examples = TensorDict({"policy": torch.randn(8, width)}, batch_size=[8])
    made = SymmetricModel(examples, {"actor": ["policy"]}, "actor", actions, **options)
    made.update_normalization(examples)
    return made


def test_a_student_begins_as_the_expert_that_ignores_the_rays() -> None:
    expert, student = (
        model(EXPERT_SIZE, NUM_ACTIONS, actor_config(), 0),
        model(VISION_SIZE, NUM_ACTIONS, actor_config(), 1),
    )
    obs = TensorDict({"policy": torch.randn(5, VISION_SIZE)}, batch_size=[5])
    teach(student, expert.state_dict(), obs)
    told = TensorDict({"policy": obs["policy"][:, :EXPERT_SIZE]}, batch_size=[5])
    torch.testing.assert_close(student.eval()(obs), expert.eval()(told), atol=1e-5, rtol=1e-4)


def test_training_goes_on_from_an_exported_file(tmp_path: Path) -> None:
    made = model(VISION_SIZE, NUM_ACTIONS, actor_config(), 0).eval()
    facts = {"iteration": "7", EXPLORATION: json.dumps([0.09] * NUM_ACTIONS)}
    export_vision(made.as_onnx(verbose=False), SKELETON, tmp_path / "vision.onnx", facts)
    network, iteration = load_actor(tmp_path / "vision.onnx")
    again = model(VISION_SIZE, NUM_ACTIONS, actor_config(), 1)
    load_policy(again, policy_state(tmp_path / "vision.onnx")[0])
    torch.testing.assert_close(again.distribution.log_std_param.exp(), torch.full((NUM_ACTIONS,), 0.09))
    observations = torch.randn(5, VISION_SIZE)
    torch.testing.assert_close(
        network(observations), made(TensorDict({"policy": observations}, batch_size=[5])), atol=1e-5, rtol=1e-5
    )
    assert iteration == 7
    (tmp_path / "other.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match="holds no policy"):
        load_actor(tmp_path / "other.onnx")


def test_a_wider_network_begins_with_the_same_function() -> None:
    narrow, wide = (
        model(VISION_SIZE, NUM_ACTIONS, actor_config() | {"hidden_dims": dims}, seed)
        for seed, dims in enumerate(([32, 16, 8], [48, 16, 24]))
    )
    load_policy(wide, narrow.state_dict())
    observation = TensorDict({"policy": torch.randn(5, VISION_SIZE)}, batch_size=[5])
    torch.testing.assert_close(wide(observation), narrow(observation), atol=1e-6, rtol=1e-5)
    # New units are no dead ones: what comes out of them can be learned.
    wide(observation).square().sum().backward()
    weights = [value for name, value in wide.named_parameters() if name.endswith("weight")]
    assert weights[-1].grad[:, 8:].abs().max() > 0.0
    assert actor_of(narrow.state_dict())(observation["policy"]).shape == (5, NUM_ACTIONS)
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_policy(narrow, wide.state_dict())


def test_the_mean_of_two_policies_is_half_way_between_their_weights() -> None:
    first, second, other = (
        model(VISION_SIZE, NUM_ACTIONS, actor_config() | {"hidden_dims": sizes}, seed).state_dict()
        for sizes, seed in (([16, 8], 0), ([16, 8], 1), ([8, 8], 2))
    )
    mean = average_of(first, second)
    for name, value in mean.items():
        if name.startswith(("mlp.", "obs_normalizer._")):
            torch.testing.assert_close(value - first[name], second[name] - value)
    assert all(torch.equal(value, first[name]) for name, value in average_of(first, first).items())
    assert actor_of(mean)(torch.zeros(1, VISION_SIZE)).shape == (1, NUM_ACTIONS)
    with pytest.raises(ModelFileError, match="one size"):
        average_of(first, other)


class Frozen:
    """No physics at all."""

    def step(self, qpos: Array, qvel: Array, target: Array) -> tuple[Array, Array]:
        return qpos.copy(), 0.0 * qvel


def swaying(frames: int = 120) -> MotionClip:
    qpos, time = np.tile(standing_qpos(SKELETON), (frames, 1)), np.arange(frames) / 30.0
    qpos[:, 7:] += 0.1 * np.sin(2.0 * time)[:, None]
    return MotionClip("sway", 30.0, qpos, "test")


def view(clip: MotionClip, shift: float) -> LiftedView:
    """A camera 3 m in front sees everything, but the pose made of it is off by `shift` rad in every hinge."""
    qpos, camera_w = clip.qpos.copy(), np.array([3.0, 0.0, 1.0])
    qpos[:, 7:] += shift
    direction = keypoints_of(clip.qpos, SKELETON) - camera_w
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    count = len(qpos)
    return LiftedView(
        qpos, clip_velocities(qpos, 30.0), np.tile(camera_w, (count, 1)), direction, np.ones((count, NUM_KEYPOINTS))
    )


def environment(shift: float = 0.05, seen: str = "rays", **options: float) -> VisionEnv:
    calm = dict.fromkeys(("push_probability", "start_noise", "lost_probability", "told_starts", "truer_share"), 0.0)
    clip, cfg = swaying(), TrackingEnvCfg(num_envs=16, episode_steps=20, **(calm | options))  # type: ignore[arg-type]
    with torch.no_grad():
        bank = ReferenceBank.from_clips([clip], KINEMATICS, [[view(clip, shift)]])
    return VisionEnv(cfg, bank, Frozen(), SKELETON, seen)  # type: ignore[arg-type]


def test_the_teacher_asks_for_the_expert_targets_on_the_true_motion() -> None:
    env = environment()
    obs, expert = env.get_observations(), model(EXPERT_SIZE, NUM_ACTIONS, actor_config(), 0)
    options = {key: value for key, value in actor_config().items() if key not in ("class_name", "distribution_cfg")}
    teacher = Teacher(obs, {"teacher": ["expert"]}, "teacher", NUM_ACTIONS, **options)
    teacher.load_state_dict({k: v for k, v in expert.state_dict().items() if not k.startswith("distribution.")})
    asked = env._target(teacher.eval()(obs))
    ahead = env._frame + 1
    residual = on_all_hinges(expert.eval()(TensorDict({"policy": obs["expert"]}, batch_size=[16])))
    wanted = residual_target(residual, env.bank.qpos[ahead][:, 7:], env.bank.qvel[ahead][:, 6:])
    # Arms and head go where the student is told: nobody corrects them.
    wanted[:, _OTHERS] = env._target(torch.zeros(16, NUM_ACTIONS))[:, _OTHERS]
    torch.testing.assert_close(asked, wanted, atol=1e-4, rtol=1e-4)


def test_the_policy_is_told_what_the_camera_made_and_rewarded_for_the_truth() -> None:
    env = environment(shift=0.3)
    obs = env.get_observations()
    assert obs["policy"].shape == (16, VISION_SIZE) and obs["expert"].shape == (16, EXPERT_SIZE)
    # The start is on the true motion: the rays agree with it up to the step ahead, the pose that is told does not.
    assert obs["policy"][:, EXPERT_SIZE : EXPERT_SIZE + 63].abs().max() < 0.05
    hinges = slice(442, 511)
    assert (obs["policy"][:, hinges] - obs["expert"][:, hinges] - 0.3).abs().max() < 1e-4
    torch.testing.assert_close(obs["offset"], torch.full((16, NUM_ACTIONS), -0.75), atol=1e-3, rtol=0.0)
    blind = environment(shift=0.3, seen="root").get_observations()["policy"]
    assert blind[:, EXPERT_SIZE:].abs().max() == 0.0


def test_what_is_told_is_a_pose_wherever_it_is_between_two() -> None:
    env = environment(shift=0.1)
    view, frame = torch.zeros(5, dtype=torch.long), torch.arange(5)
    quat = torch.nn.functional.normalize(torch.randn(5, 4) + torch.tensor([3.0, 0.0, 0.0, 0.0]))
    env.bank.views.qpos[0, :5, 3:7] = -quat
    lifted, _ = env._told_at(view, frame, torch.zeros(5))
    true, rates = env._told_at(view, frame, torch.ones(5))
    torch.testing.assert_close(lifted, env.bank.views.qpos[0, :5])
    torch.testing.assert_close(true.abs(), env.bank.qpos[:5].abs())
    torch.testing.assert_close(rates, env.bank.qvel[:5])
    between, _ = env._told_at(view, frame, torch.rand(5))
    torch.testing.assert_close(between[:, 3:7].norm(dim=1), torch.ones(5))
    # The short way: nowhere farther from either end than the ends are apart.
    apart = (quat * env.bank.qpos[:5, 3:7]).sum(1).abs() - 1e-6
    assert all(((between[:, 3:7] * end[:, 3:7]).sum(1).abs() >= apart).all() for end in (lifted, true))


def test_episodes_may_start_as_the_live_chain_does() -> None:
    env = environment(shift=0.1, told_starts=1.0, slow_starts=0.0)
    at = (env._view, env._frame)
    torch.testing.assert_close(env._qpos[:, 3:], env.bank.views.qpos[at][:, 3:])
    torch.testing.assert_close(env._qvel, env.bank.views.qvel[at])
    lowest = corner_positions(env._qpos.double().numpy(), SKELETON)[..., 2].min(-1)
    np.testing.assert_allclose(lowest, 0.0, atol=1e-6)


def test_episodes_may_start_too_slowly_as_of_people_who_are_met_walking() -> None:
    env = environment(told_starts=1.0, slow_starts=1.0)
    env.bank.views.qvel[..., :2] = torch.tensor([1.0, -2.0])
    env._reset(torch.arange(16))
    kept = env._qvel[:, :2] / torch.tensor([1.0, -2.0])
    torch.testing.assert_close(kept[:, 0], kept[:, 1])
    assert kept.min() > 0.2 - 1e-6 and kept.max() < 1.0 + 1e-6 and kept.max() - kept.min() > 0.3
    torch.testing.assert_close(env._qvel[:, 2:], env.bank.views.qvel[env._view, env._frame][:, 2:])


def test_the_critic_sees_where_the_true_motion_goes_and_how_wrongly_it_will_be_told() -> None:
    env = environment(truer_share=1.0)
    env.bank.views.qpos[..., :3] += torch.tensor([0.3, -0.2, 0.1])
    env._look_ahead()
    preview = env.get_observations()["preview"].double().numpy()
    R_wh = quat_to_matrix(yaw_quat(yaw_of(env._qpos[:, 3:7].double().numpy())))[:, None, None]
    coming, told = preview[:, :216].reshape(16, 3, 24, 3), preview[:, 216:].reshape(16, 3, 3)
    coming_w = (R_wh @ coming[..., None])[..., 0] + env._body.pos[:, None].double().numpy()
    # No clip goes on after its last frame.
    ahead = np.minimum(env._frame[:, None].numpy() + np.array([4, 9, 17]), int(env.bank.last[0]))
    np.testing.assert_allclose(coming_w, env.bank.body.pos.double().numpy()[ahead], atol=1e-5)
    told_w = (R_wh[:, 0] @ told[..., None])[..., 0]
    off = np.array([0.3, -0.2, 0.1]) * (1.0 - env._truth.double().numpy()[:, None, None])
    np.testing.assert_allclose(told_w, np.broadcast_to(off, told_w.shape), atol=1e-5)


def test_a_preview_commutes_with_mirroring() -> None:
    qpos, flip = poses(3), np.array([1.0, -1.0, 1.0])
    coming, told_w = np.stack([poses(seed) for seed in (4, 5, 6)], 1), np.random.default_rng(7).normal(size=(6, 3, 3))

    def preview(qpos: Array, coming: Array, told_w: Array) -> torch.Tensor:
        bodies = [KINEMATICS(torch.tensor(q, dtype=torch.float32), torch.zeros(6, 75)) for q in (qpos, *coming)]
        coming_w = torch.stack([body.pos for body in bodies[1:]], 1)
        return preview_observation(bodies[0], coming_w, torch.tensor(told_w, dtype=torch.float32))

    here = preview(qpos, coming.swapaxes(0, 1), told_w)
    there = preview(mirror_qpos(qpos), np.stack([mirror_qpos(q) for q in coming.swapaxes(0, 1)]), told_w * flip)
    torch.testing.assert_close(mirror_observation(here), there, atol=1e-4, rtol=1e-4)
    padded = torch.cat([torch.zeros(6, EXPERT_SIZE), here], 1)
    torch.testing.assert_close(mirror_observation(padded)[:, EXPERT_SIZE:], there, atol=1e-4, rtol=1e-4)


def test_some_episodes_are_told_something_between_what_was_lifted_and_the_truth() -> None:
    env = environment(shift=0.3, truer_share=1.0)
    obs = env.get_observations()
    hinges = slice(442, 511)
    off = obs["policy"][:, hinges] - obs["expert"][:, hinges]
    share = 1.0 - off.mean(1) / 0.3
    torch.testing.assert_close(share, env._truth, atol=1e-4, rtol=0.0)
    assert share.min() < 0.3 and share.max() > 0.7


def test_who_loses_their_person_is_told_and_asked_to_come_to_a_halt() -> None:
    env = environment(shift=0.1, lost_probability=1.0, lost_steps=4)
    env._frame.clamp_max_(100)  # Nobody loses their person in a clip's last frame.
    env._look_ahead()
    told, frame = (env._qpos_ref.double().numpy(), env._qvel_ref.double().numpy()), env._frame.clone()
    for step in range(4):
        obs, _, done, extras = env.step(torch.zeros(16, NUM_ACTIONS))
        assert bool(done.all()) == (step == 3)
        if step == 3:
            break
        # The first step still was the person's; then time stands still and the pose that was told slows down.
        assert torch.equal(env._frame, frame + 1)
        told = halting_motion(*told, SKELETON)
        np.testing.assert_allclose(env._qpos_ref[:, 2:].numpy(), told[0][:, 2:], atol=1e-3)
        np.testing.assert_allclose(env._qvel_ref.numpy(), told[1], atol=1e-3)
        # Wherever that takes the humanoid, as in the live chain.
        assert (env._qpos_ref[:, :2] - env._qpos[:, :2]).norm(dim=1).max() <= LOST_LEASH + 1e-6
        torch.testing.assert_close(obs["policy"][:, :EXPERT_SIZE], obs["expert"])
        # A halt stays where it is.
        preview = obs["preview"][:, :216].reshape(16, 3, 24, 3)
        torch.testing.assert_close(preview, preview[:, :1].expand_as(preview), atol=1e-6, rtol=0.0)
        assert obs["preview"][:, 216:].abs().max() == 0.0
        assert obs["offset"].abs().max() == 0.0 and obs["policy"][:, EXPERT_SIZE:].abs().max() == 0.0
        torch.testing.assert_close(env._asked.pos, KINEMATICS(env._qpos_ref, env._qvel_ref).pos)
    assert extras["time_outs"].all() and (env._lost_for == 0).all()


def test_a_restored_state_goes_on_to_the_bit_while_people_are_lost() -> None:
    chances = {"lost_probability": 0.2, "told_starts": 0.5, "truer_share": 0.5, "push_probability": 0.2}
    first, second = environment(lost_steps=6, **chances), environment(lost_steps=6, **chances)
    actions = torch.randn(12, 16, NUM_ACTIONS, generator=torch.Generator().manual_seed(0))
    for action in actions[:4]:
        first.step(action)
    assert 0 < (first._lost_for > 1).sum() < 16
    second.bank.failure, second.bank.steps = first.bank.failure.clone(), first.bank.steps.clone()
    second.restore(first.state())
    before, after = first.get_observations(), second.get_observations()
    for action in actions[4:]:
        assert all(torch.equal(before[name], after[name]) for name in ("policy", "expert", "preview", "offset"))
        (before, reward, _, _), (after, same, _, _) = first.step(action), second.step(action)
        assert torch.equal(reward, same)


def test_without_views_there_is_nothing_to_see() -> None:
    with torch.no_grad():
        bank = ReferenceBank.from_clips([swaying()], KINEMATICS)
    with pytest.raises(ConfigError, match="physhmr data lift"):
        VisionEnv(TrackingEnvCfg(num_envs=2), bank, Frozen(), SKELETON)


class Puppets:
    """Hinges go where they are told at once; from `stumbles` on the root is elsewhere."""

    def __init__(self, stumbles: int) -> None:
        self._steps, self._stumbles = 0, stumbles

    def step(self, qpos: Array, qvel: Array, target: Array) -> tuple[Array, Array]:
        self._steps += 1
        after = qpos.copy()
        after[:, 7:] = target
        after[:, 0] += self._steps >= self._stumbles
        return after, 0.0 * qvel


@pytest.mark.parametrize(("stumbles", "steps", "share"), [(1000, 88, 1.0), (30, 30, 30 / 88)])
@pytest.mark.parametrize("kind", [WholeViews, WholeClips])
def test_clips_and_views_are_followed_to_their_end_or_to_where_the_body_is_lost(
    kind: type[WholeViews | WholeClips], stumbles: int, steps: int, share: float
) -> None:
    clips, times = [swaying(90), swaying(90)], 3 if kind is WholeViews else 1
    views = [[view(clip, 0.0)] * 3 for clip in clips] if kind is WholeViews else ()
    with torch.no_grad():
        bank = ReferenceBank.from_clips(clips, KINEMATICS, views)
    whole = kind(bank, Puppets(stumbles), SKELETON, limit=0.5)
    whole.begin()
    torch.testing.assert_close(whole._qvel, bank.qvel[bank.first[whole.clip]])
    told = whole.get_observations()["policy"][:, 442:511]
    torch.testing.assert_close(told, (bank.qpos[bank.first + 1] - bank.qpos[bank.first])[whole.clip, 7:])
    followed = follow(lambda observation: torch.zeros(len(observation), NUM_ACTIONS), whole)
    assert followed.clip.tolist() == [0, 1] * times
    assert (followed.steps == steps).all()
    torch.testing.assert_close(followed.share, torch.full((2 * times,), share))
    # Told angles and a tenth of a second of their rates: at most 0.02 rad off. Whose clip has just ended is not judged.
    assert followed.judged == 2 * times * (steps - 1) and 0.0 < followed.distance / followed.judged < 0.02


def refining(folder: Path, teacher: Path, warm_up: int) -> ResumableRunner:
    config = refinement_config()
    config["algorithm"] |= {"critic_warm_up": warm_up}
    env = environment()
    training = ResumableRunner(env, config, folder, lambda progress: None)
    prepare_refinement(training.alg, env.get_observations(), teacher, None, begin=True)
    return training


@pytest.fixture
def expert_checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of an untrained expert."""
    actor = model(EXPERT_SIZE, NUM_ACTIONS, actor_config(), 0)
    plain = {key: value for key, value in actor_config().items() if key not in ("class_name", "distribution_cfg")}
    examples = TensorDict({"policy": torch.randn(8, EXPERT_SIZE)}, batch_size=[8])
    critic = SymmetricModel(examples, {"critic": ["policy"]}, "critic", 1, **plain)
    saved = {"actor_state_dict": actor.state_dict(), "critic_state_dict": critic.state_dict(), "iter": 0, "infos": None}
    torch.save(saved, tmp_path / "expert.pt")
    return tmp_path / "expert.pt"


def test_the_critic_begins_as_the_expert_s_and_ignores_what_comes(tmp_path: Path, expert_checkpoint: Path) -> None:
    training = refining(tmp_path / "run", expert_checkpoint, warm_up=2)
    plain = {key: value for key, value in actor_config().items() if key not in ("class_name", "distribution_cfg")}
    obs = environment().get_observations()
    known = SymmetricModel(obs, {"critic": ["expert"]}, "critic", 1, **plain)
    known.load_state_dict(read_checkpoint(expert_checkpoint)["critic_state_dict"])
    torch.testing.assert_close(training.alg.critic.eval()(obs), known.eval()(obs), atol=1e-4, rtol=1e-3)


def test_the_critic_is_warmed_up_before_the_actor_moves(tmp_path: Path, expert_checkpoint: Path) -> None:
    training = refining(tmp_path / "run", expert_checkpoint, warm_up=2)

    def networks() -> tuple[torch.Tensor, torch.Tensor]:
        algorithm = training.alg
        return tuple(  # type: ignore[return-value]
            torch.cat([value.flatten() for value in network.mlp.parameters()]).detach().clone()
            for network in (algorithm.actor, algorithm.critic)
        )

    actor, critic = networks()
    training.learn(2)
    warm_actor, warm_critic = networks()
    assert torch.equal(warm_actor, actor) and not torch.equal(warm_critic, critic)
    training.learn(1)
    assert not torch.equal(networks()[0], warm_actor)


def test_the_pull_towards_the_teacher_fades_and_the_clock_survives_a_restart(
    tmp_path: Path, expert_checkpoint: Path
) -> None:
    training = refining(tmp_path / "run", expert_checkpoint, warm_up=0)
    algorithm = training.alg
    assert isinstance(algorithm, RefiningPPO)
    training.learn(3)
    assert algorithm.symmetry is not None
    weight = algorithm.symmetry.mirror_loss_coeff
    assert weight == pytest.approx(0.1 * 0.5 ** (2 / 50.0))
    algorithm._updates = 5000
    algorithm.update()
    assert algorithm.symmetry is None
    again = refining(tmp_path / "run", expert_checkpoint, warm_up=0)
    again.resume()
    again.alg.update = lambda: {}  # type: ignore[method-assign]
    assert again.alg.save()["updates"] == 3


def test_what_is_used_is_the_moving_average_of_the_actor(tmp_path: Path, expert_checkpoint: Path) -> None:
    training = refining(tmp_path / "run", expert_checkpoint, warm_up=0)
    actor, memory = training.alg.actor, refinement_config()["algorithm"]["memory"]
    name, expected = "mlp.one_sided.0.weight", None
    for _ in range(3):
        training.learn(1)
        weight = actor.get_parameter(name).detach().clone()
        expected = weight if expected is None else memory * expected + (1.0 - memory) * weight
    used, _ = load_actor(latest_checkpoint(tmp_path / "run"))
    torch.testing.assert_close(used.get_parameter(name), expected)
    assert not torch.equal(used.get_parameter(name), weight)


def test_an_other_file_is_no_teacher(tmp_path: Path) -> None:
    torch.save({"iter": 0}, tmp_path / "other.pt")
    with pytest.raises(ModelFileError, match="not a checkpoint of this network"):
        refining(tmp_path / "run", tmp_path / "other.pt", warm_up=0)


def state_at(qpos: Array) -> HumanoidState:
    return HumanoidState(0, qpos, np.zeros(75), np.zeros((24, 3)), np.tile([1.0, 0, 0, 0], (24, 1)), np.zeros(69))


def test_the_exported_policy_says_what_torch_says(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(VISION_SIZE, 32), torch.nn.ELU(), torch.nn.Linear(32, NUM_ACTIONS))
    path = tmp_path / "vision.onnx"
    export_vision(network, SKELETON, path, {})
    policy, module = VisionPolicy(path, SKELETON), VisionModule(SKELETON, network)
    (qpos, qpos_ref), (_, dir_w, score) = poses(0, 2), sights(1, 1)
    qpos[:2] = qpos_ref[:2] = 0.0
    rays = RayBundle(0, np.tile([-3.0, 0.2, 1.0], (21, 1)), dir_w[0], score[0], np.zeros((21, 3)))
    rows = (qpos, np.zeros(75), qpos_ref, np.zeros(75), rays.origin_w, rays.dir_w, rays.score)
    with torch.no_grad():
        wanted = module(*(torch.tensor(row[None], dtype=torch.float32) for row in rows))[0].numpy()
    told = Reference(0, qpos_ref, np.zeros(75))
    found = policy.target(state_at(qpos), told, rays)
    np.testing.assert_allclose(found, np.clip(wanted, *SKELETON.ranges.T), atol=2e-4)
    unseen = replace(rays, score=np.zeros(21))
    np.testing.assert_allclose(policy.target(state_at(qpos), told), policy.target(state_at(qpos), told, unseen))
    lifter, driver = make_follower(ControlConfig(policy="vision"), SKELETON, path)
    assert isinstance(lifter._lifter, EncodedLifter) and isinstance(driver, VisionPolicy)


def assert_same_function(checkpoint: Path, student: Path, width: int) -> None:
    """While its critic warms up a policy is what it was, though it meets observations that it never met."""
    torch.set_float32_matmul_precision("highest")
    observations = torch.randn(16, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        after, before = (load_actor(path)[0](observations) for path in (checkpoint, student))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0.0)


def test_the_commands_distill_and_refine(
    tmp_path: Path, expert_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, common = tmp_path / "library.npz", {"teacher": expert_checkpoint, "num_envs": 8, "threads": 1}
    save_library(library, [LibraryClip(swaying(90), "core", split) for split in ("train", "validation")])
    data_command("lift", library, views=1)
    train_command("distill", library, tmp_path / "distill", iterations=2, **common)  # type: ignore[arg-type]
    student = tmp_path / "distill" / "model_1.pt"
    train_command("refine", library, tmp_path / "refine", iterations=1, student=student, **common)  # type: ignore[arg-type]
    network, _ = load_actor(tmp_path / "refine" / "model_0.pt")
    assert network(torch.zeros(1, VISION_SIZE)).shape == (1, NUM_ACTIONS)
    assert "distill: begins" in capsys.readouterr().out
    # Where the checkpoints are gone, what was exported from them is student and teacher.
    exported = {}
    for name, width, export in (("teacher", EXPERT_SIZE, export_expert), ("student", VISION_SIZE, export_vision)):
        exported[name] = tmp_path / f"{name}.onnx"
        made = model(width, NUM_ACTIONS, actor_config(), 0)
        export(made.as_onnx(verbose=False), SKELETON, exported[name], {"iteration": "3"})
    train_command("refine", library, tmp_path / "again", iterations=1, **(common | exported))  # type: ignore[arg-type]
    assert_same_function(tmp_path / "again" / "model_0.pt", exported["student"], VISION_SIZE)
    # So does the expert itself.
    train_command(
        "expert", library, tmp_path / "expert", num_envs=8, threads=1, iterations=1, student=exported["teacher"]
    )
    assert_same_function(tmp_path / "expert" / "model_0.pt", exported["teacher"], EXPERT_SIZE)
    # A file does not say how much its policy explored: less than one that knows nothing.
    state = policy_state(tmp_path / "expert" / "model_0.pt")[0]
    torch.testing.assert_close(state["distribution.log_std_param"].exp(), torch.full((NUM_ACTIONS,), 0.09))
    alone = {"num_envs": 8, "threads": 1, "iterations": 1, "guided": False, "teacher": tmp_path / "nobody.pt"}
    train_command("refine", library, tmp_path / "alone", **alone)  # type: ignore[arg-type]
    assert (tmp_path / "alone" / "model_0.pt").is_file()
    train_command("refine", library, tmp_path / "unguided", student=exported["student"], **alone)  # type: ignore[arg-type]
    assert_same_function(tmp_path / "unguided" / "model_0.pt", exported["student"], VISION_SIZE)


def test_expert_observations_are_the_first_part() -> None:
    qpos = torch.tensor(poses(5), dtype=torch.float32)
    body = KINEMATICS(qpos, torch.zeros(len(qpos), 75))
    assert expert_observation(body, body, qpos, qpos, torch.zeros(len(qpos), 75)).shape[1] == EXPERT_SIZE
