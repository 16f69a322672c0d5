"""The motion encoder is causal, blind to where the camera stands, and learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from physhmr.body.humanoid_mjcf import standing_qpos  # noqa: E402
from physhmr.body.keypoints import keypoints_of  # noqa: E402
from physhmr.body.kinematics import forward_kinematics  # noqa: E402
from physhmr.body.points import place_points  # noqa: E402
from physhmr.body.skeleton import HINGE_NAMES, Shape, Skeleton  # noqa: E402
from physhmr.body.soles import sole_corners  # noqa: E402
from physhmr.cli.export import main as export  # noqa: E402
from physhmr.errors import ModelFileError  # noqa: E402
from physhmr.geometry.rotation import yaw_quat  # noqa: E402
from physhmr.motion.clip import mirror_qpos  # noqa: E402
from physhmr.motion.synthetic_camera import KeypointErrors, Views, watch  # noqa: E402
from physhmr.policy.export import export_encoder  # noqa: E402
from physhmr.policy.kinematics import Kinematics, quat_to_matrix, rotate  # noqa: E402
from physhmr.policy.motion_encoder import (  # noqa: E402
    FEATURES,
    Motion,
    MotionEncoder,
    Sight,
    features,
    motion_of,
    to_world,
    view_rotation,
    widened_encoder,
)
from physhmr.policy.token_encoder import TokenEncoder  # noqa: E402
from physhmr.rl.encoder_training import (  # noqa: E402
    EncoderTraining,
    EncoderTrainingCfg,
    ViewSampler,
    answer,
    load_encoder,
    loss_terms,
    standing_feet,
)
from physhmr.rl.pose_variation import PoseVariationCfg, varied  # noqa: E402
from physhmr.types import Array, MotionClip  # noqa: E402

SKELETON = Skeleton()
AS_IT_IS = PoseVariationCfg(swap=0.0, share=0.0, leg_share=0.0)
PARTS = (("Hip", "Knee", "Ankle"), ("Shoulder", "Elbow", "Wrist"))
SMALL = EncoderTrainingCfg(sequences=6, frames=20, variation=AS_IT_IS)


def swaying(frames: int = 120, seed: int = 0) -> MotionClip:
    """A stance with moving arms that turns on the spot."""
    rng, time = np.random.default_rng(seed), np.arange(frames) / 30.0
    qpos = np.tile(standing_qpos(SKELETON), (frames, 1))
    for hinge in (39, 42, 43, 54, 58):
        qpos[:, 7 + hinge] += 0.4 * np.sin(rng.uniform(1, 4) * time + rng.uniform(0, 6))
    qpos[:, 3:7] = yaw_quat(0.5 * np.sin(time))
    return MotionClip(f"sway_{seed}", 30.0, qpos, "test")


def sight(seed: int, frames: int = 7) -> Sight:
    draw = torch.Generator().manual_seed(seed)
    direction = torch.nn.functional.normalize(
        torch.randn(frames, 2, 21, 3, generator=draw) * 0.2 + torch.tensor([1.0, 0.3, -0.1]), dim=-1
    )
    landmarks = torch.randn(frames, 2, 21, 3, generator=draw)
    origin = torch.randn(frames, 2, 3, generator=draw)
    return Sight(origin, direction, torch.rand(frames, 2, 21, generator=draw), landmarks)


def turned(seen: Sight, yaw: float, shift: tuple[float, float, float]) -> Sight:
    """The same scene elsewhere in the world."""
    R = torch.tensor(
        [[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]], dtype=torch.float32
    )
    return Sight(
        rotate(R, seen.origin_w) + torch.tensor(shift), rotate(R, seen.dir_w), seen.score, rotate(R, seen.landmarks_w)
    )


def test_features_do_not_know_where_in_the_world_it_happens() -> None:
    here, there = sight(0), turned(sight(0), 1.2, (3.0, -2.0, 0.0))
    seen, moved = (features(one, view_rotation(one)) for one in (here, there))
    assert seen.shape == (7, 2, FEATURES)
    torch.testing.assert_close(moved, seen, atol=1e-5, rtol=1e-4)


def test_what_is_told_turns_with_the_world() -> None:
    here, there = sight(1), turned(sight(1), -0.7, (1.0, 1.0, 0.0))
    motion = motion_of(0.3 * torch.randn(7, 2, 155, generator=torch.Generator().manual_seed(2)))
    first, second = (to_world(motion, view_rotation(one), one.origin_w) for one in (here, there))
    R = view_rotation(there) @ view_rotation(here).transpose(-1, -2)
    torch.testing.assert_close(second.rot, R @ first.rot, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(second.linvel, rotate(R, first.linvel), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(second.pos[..., 2], first.pos[..., 2])
    torch.testing.assert_close(second.hinges, first.hinges)


def test_a_step_without_an_image_shows_nothing_but_where_one_looks() -> None:
    held = replace(sight(0), score=torch.zeros_like(sight(0).score))
    other = replace(held, landmarks_w=held.landmarks_w + 1.0)
    R_wv = view_rotation(held)
    torch.testing.assert_close(R_wv, view_rotation(replace(held, score=torch.ones_like(held.score))))
    torch.testing.assert_close(features(held, R_wv), features(other, R_wv))
    assert features(held, R_wv)[..., :-1].abs().max() == 0.0


def test_rotations_are_rotations() -> None:
    rot = motion_of(torch.randn(50, 155, generator=torch.Generator().manual_seed(0))).rot
    torch.testing.assert_close(rot @ rot.transpose(-1, -2), torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rot), torch.ones(50), atol=1e-5, rtol=1e-5)


def test_the_future_does_not_change_the_past() -> None:
    encoder, rows = MotionEncoder(16), torch.randn(9, 3, FEATURES)
    whole, _ = encoder(rows, encoder.start(3))
    changed = rows.clone()
    changed[6:] += 1.0
    again, _ = encoder(changed, encoder.start(3))
    torch.testing.assert_close(again[:6], whole[:6])
    assert (again[6:] - whole[6:]).abs().max() > 1e-3


def test_frame_by_frame_is_the_same_as_all_at_once() -> None:
    encoder, rows = MotionEncoder(16), torch.randn(5, 2, FEATURES)
    whole, last = encoder(rows, encoder.start(2))
    token, told = encoder.start(2), []
    for row in rows:
        one, token = encoder(row[None], token)
        told.append(one)
    torch.testing.assert_close(torch.cat(told), whole, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(token, last, atol=1e-6, rtol=1e-5)


def test_a_perfect_answer_costs_nothing() -> None:
    batch = ViewSampler([swaying()], SKELETON, SMALL).draw()
    R_wv = view_rotation(batch.sight)
    R_vw = R_wv.transpose(-1, -2)
    ground = batch.sight.origin_w * torch.tensor([1.0, 1.0, 0.0])
    perfect = Motion(
        R_vw @ quat_to_matrix(batch.qpos[..., 3:7]), rotate(R_vw, batch.qpos[..., :3] - ground),
        rotate(R_vw, batch.qvel[..., :3]), batch.qvel[..., 3:6], batch.qpos[..., 7:], batch.qvel[..., 6:],
        40.0 * (batch.contact - 0.5),
    )  # fmt: skip
    for name, value in loss_terms(perfect, batch, R_wv, Kinematics(SKELETON)).items():
        assert float(value) == pytest.approx(0.0, abs=1e-6), name


def test_views_show_the_frame_before_the_pose_that_is_asked_for() -> None:
    clip, cfg = swaying(), EncoderTrainingCfg(sequences=4, frames=20, size_error=0.0, variation=AS_IT_IS)
    batch = ViewSampler([clip], SKELETON, cfg).draw()
    asked = batch.qpos[:, 0].numpy()
    both = np.concatenate([clip.qpos, mirror_qpos(clip.qpos)])
    first = int(np.abs(both - asked[0]).sum(1).argmin())
    np.testing.assert_allclose(asked, both[first : first + 20], atol=1e-5)
    shown = keypoints_of(both[first - 1], SKELETON) - batch.sight.origin_w[0, 0].numpy()
    direction = shown / np.linalg.norm(shown, axis=1, keepdims=True)
    cosine = (direction * batch.sight.dir_w[0, 0].numpy()).sum(1)
    assert np.median(cosine) > np.cos(0.06)


def test_feet_that_glide_or_hang_do_not_stand() -> None:
    def standing(qpos: Array) -> Array:
        return standing_feet(*forward_kinematics(qpos, SKELETON), SKELETON)

    still = swaying().qpos
    assert standing(still).mean() > 0.95
    gliding, hanging = still.copy(), still.copy()
    gliding[:, 0] = np.arange(len(still)) / 30.0
    hanging[:, 2] += 0.1
    assert standing(gliding).max() == standing(hanging).max() == 0.0


def test_varied_motion_keeps_its_floor_its_ranges_and_its_smoothness() -> None:
    random = np.random.default_rng(0)
    qpos, other = (np.stack([swaying(60, seed).qpos for seed in seeds]) for seeds in ((0, 1, 2), (3, 4, 5)))
    made, *bodies = varied(qpos, other, SKELETON, random, PoseVariationCfg(swap=0.5, share=1.0, leg_share=1.0))
    low, high = SKELETON.ranges.T
    assert ((made[..., 7:] >= low) & (made[..., 7:] <= high)).all()
    corners = sole_corners(SKELETON)
    before, after = (
        place_points(corners, *forward_kinematics(motion, SKELETON))[..., 2].min(-1) for motion in (qpos, made)
    )
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert np.abs(made - qpos).max() > 0.1
    assert np.abs(np.diff(made[..., 7:], axis=1)).max() < 0.3
    for mine, theirs in zip(bodies, forward_kinematics(made, SKELETON), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    np.testing.assert_array_equal(varied(qpos, other, SKELETON, random, AS_IT_IS)[0][..., 7:], qpos[..., 7:])


def test_some_arms_are_held_differently_and_fewer_legs() -> None:
    qpos = np.stack([swaying(20, seed).qpos for seed in range(300)])
    cfg = PoseVariationCfg(swap=0.0, share=0.6, leg_share=0.2)
    made, *_ = varied(qpos, qpos, SKELETON, np.random.default_rng(0), cfg)
    changed = (made != qpos)[..., 7:].any(1)
    legs, arms = (changed[:, [HINGE_NAMES.index(f"L_{part}_x") for part in parts]].any(1) for parts in PARTS)
    assert abs(legs.mean() - 0.2) < 0.07 and abs(arms.mean() - 0.6) < 0.09
    assert not (legs & ~arms).any()


def training(folder: Path, ahead: bool = False) -> EncoderTraining:
    return EncoderTraining([swaying(seed=seed) for seed in range(3)], SMALL, folder, MotionEncoder(32), ahead)


def test_a_little_training_helps(tmp_path: Path) -> None:
    learner = training(tmp_path)
    first = [sum(learner.step().values()) for _ in range(3)]
    for _ in range(140):
        learner.step()
    last = [sum(learner.step().values()) for _ in range(3)]
    assert np.mean(last) < 0.6 * np.mean(first)


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    told: list[str] = []
    first = training(tmp_path)
    first.run(2, told.append)
    assert len(told) == 1 and told[0].startswith("2/2") and "0:00:00 left" in told[0]
    second = training(tmp_path)
    assert second.iteration == 2
    for before, after in zip(first.encoder.state_dict().values(), second.encoder.state_dict().values(), strict=True):
        torch.testing.assert_close(after, before)
    encoder, iteration = load_encoder(tmp_path / "encoder.pt")
    assert iteration == 2 and encoder.memory.hidden_size == 32
    assert not second.begun_afresh
    saved = torch.load(tmp_path / "encoder.pt", weights_only=True)
    del saved["sampler"], saved["random"]
    torch.save(saved, tmp_path / "encoder.pt")
    older = training(tmp_path)
    assert older.iteration == 2 and "older" in older.begun_afresh
    assert not torch.equal(older._sampler.draw().qpos, training(tmp_path / "anew")._sampler.draw().qpos)
    with pytest.raises(ModelFileError, match=r"32 units, to be trained are 48: .*--student .*encoder\.pt"):
        EncoderTraining([swaying()], SMALL, tmp_path, MotionEncoder(48))
    (tmp_path / "encoder.pt").write_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match=r"encoder\.pt is not a readable checkpoint"):
        training(tmp_path)


def test_an_encoder_that_has_learned_goes_on_gently_with_other_views(tmp_path: Path) -> None:
    clips = [swaying(seed=seed) for seed in range(3)]
    known = EncoderTraining(clips, SMALL, tmp_path / "known", MotionEncoder(32), iteration=4000)
    new = training(tmp_path / "new")
    assert known.iteration == 4000 and not torch.equal(known._sampler.draw().qpos, new._sampler.draw().qpos)
    rates = []
    for done in (1, 50, 100, 5000):
        known.iteration = 4000 + done
        known.step()
        rates.append(known._optimizer.param_groups[0]["lr"] / SMALL.learning_rate)
    np.testing.assert_allclose(rates, [0.01, 0.5, (1000 / 4100) ** 0.5, (1000 / 9000) ** 0.5], rtol=0.02)


def test_training_resumes_to_the_bit(tmp_path: Path) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    training(straight).run(4, lambda line: None)
    # The second one's views are made ahead, in a process of their own: the same ones.
    training(stopped).run(2, lambda line: None)
    training(stopped, ahead=True).run(2, lambda line: None)
    first, second = (torch.load(folder / "encoder.pt", weights_only=True) for folder in (straight, stopped))
    for part in ("encoder", "average"):
        assert all(torch.equal(value, second[part][name]) for name, value in first[part].items())
    moments, again = (saved["optimizer"]["state"] for saved in (first, second))
    assert all(torch.equal(value, again[key][name]) for key, one in moments.items() for name, value in one.items())
    assert first["sampler"] == second["sampler"] and torch.equal(first["random"], second["random"])


def test_the_exported_file_says_what_torch_says(tmp_path: Path) -> None:
    torch.manual_seed(1)
    encoder, clip = MotionEncoder(16), swaying(12)
    export_encoder(encoder, SKELETON, tmp_path / "encoder.onnx", {"iteration": "0"})
    runtime, token = TokenEncoder(tmp_path / "encoder.onnx", SKELETON), encoder.start(1)
    kept, slow = None, KeypointErrors(slow_view=1.0)
    for index, rays in enumerate(watch(clip, SKELETON, np.random.default_rng(0), Views(errors=slow))):
        found = runtime.coast(index) if rays is None else runtime.step(rays)
        kept = replace(kept, score=0.0 * kept.score) if rays is None and kept is not None else rays
        assert kept is not None
        rows = (kept.origin_w.mean(0), kept.dir_w, kept.score, kept.landmarks_w)
        seen = Sight(*(torch.tensor(row, dtype=torch.float32)[None] for row in rows))
        R_wv = view_rotation(seen)
        with torch.no_grad():
            told, token = encoder(features(seen, R_wv)[None], token)
        expected = to_world(motion_of(told[0]), R_wv, seen.origin_w)
        np.testing.assert_allclose(found.token, token[0, 0], atol=1e-5)
        np.testing.assert_allclose(found.ahead.qpos[:3], expected.pos[0], atol=1e-4)
        np.testing.assert_allclose(quat_to_matrix(torch.tensor(found.ahead.qpos[3:7])), expected.rot[0], atol=1e-4)
        np.testing.assert_allclose(found.ahead.qvel[6:], expected.rates[0], atol=1e-4)
    runtime.reset()
    assert not np.allclose(runtime.step(replace(kept, score=kept.score + 0.5)).token, found.token)


def test_training_goes_on_from_an_exported_file_with_more_units(tmp_path: Path) -> None:
    torch.manual_seed(2)
    encoder, rows = MotionEncoder(16), torch.randn(9, 3, FEATURES)
    encoder.normalise_by(5.0 + 2.0 * rows.flatten(0, 1))
    export_encoder(encoder, SKELETON, tmp_path / "encoder.onnx", {"iteration": "7"})
    read, iteration = load_encoder(tmp_path / "encoder.onnx")
    assert iteration == 7 and read.normalised and not MotionEncoder(16).normalised
    wider = widened_encoder(read, 24)
    assert wider.memory.hidden_size == 24 and widened_encoder(read, 16) is read
    before = 0.1 * torch.randn(1, 3, 16)
    after = torch.cat([before, torch.randn(1, 3, 8)], -1)
    told, token = encoder(rows, before)
    for other, start in ((read, before), (wider, after)):
        again, kept = other(rows, start)
        torch.testing.assert_close(again, told, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(kept[..., :16], token, atol=1e-5, rtol=1e-5)
    # New units see something, and what they say would be heard.
    told, _ = wider(rows, wider.start(3))
    told.square().sum().backward()
    assert wider.tell[2].weight.grad[:, 16:].abs().min() > 0.0
    (tmp_path / "other.onnx").write_bytes((tmp_path / "encoder.onnx").read_bytes()[:2000])
    with pytest.raises(ModelFileError, match=r"other\.onnx holds no encoder"):
        load_encoder(tmp_path / "other.onnx")


def test_a_file_for_another_body_is_refused(tmp_path: Path) -> None:
    export_encoder(MotionEncoder(8), Skeleton(Shape(height=1.6)), tmp_path / "encoder.onnx", {})
    with pytest.raises(ModelFileError, match="skeleton_hash"):
        TokenEncoder(tmp_path / "encoder.onnx", SKELETON)


def test_who_looks_ahead_is_judged_by_what_was() -> None:
    batch = ViewSampler([swaying()], SKELETON, SMALL).draw()
    encoder, cfg = MotionEncoder(16), replace(SMALL, warm_up=3, look_ahead_frames=4)
    motion, judged, R_wv = answer(encoder, batch, cfg)
    assert motion.hinges.shape[0] == judged.qpos.shape[0] == R_wv.shape[0] == SMALL.frames - 3 - 4
    # It speaks in the view frame of the newest frame, about the moment four frames before.
    torch.testing.assert_close(R_wv, view_rotation(batch.sight)[7:])
    torch.testing.assert_close(judged.sight.origin_w, batch.sight.origin_w[7:])
    torch.testing.assert_close(judged.qpos, batch.qpos[3:-4])
    now, at_once, _ = answer(encoder, batch, replace(cfg, look_ahead_frames=0))
    torch.testing.assert_close(now.hinges[4:], motion.hinges)
    torch.testing.assert_close(at_once.qpos, batch.qpos[3:])


def test_the_mean_of_two_encoders_is_what_is_exported(tmp_path: Path) -> None:
    checkpoints = [tmp_path / f"{name}.onnx" for name in ("first", "second")]
    for seed, path in enumerate(checkpoints):
        torch.manual_seed(seed)
        encoder = MotionEncoder(16)
        encoder.normalise_by(torch.randn(9, FEATURES) + seed)
        export_encoder(encoder, SKELETON, path, {"iteration": "7"})
    (tmp_path / "manifest.json").write_text('{"models": []}')
    export("encoder", checkpoints[0], models=tmp_path, average_with=checkpoints[1])
    first, second, mean = (
        load_encoder(path)[0].state_dict() for path in (*checkpoints, tmp_path / "encoder" / "encoder.onnx")
    )
    for name, value in mean.items():
        torch.testing.assert_close(value, 0.5 * (first[name] + second[name]))
