"""Speed and quality of retargeting on walking, squatting and gesturing, against the bars; and against GMR.

    python benchmarks/retarget.py --out benchmarks/results/retarget-<machine>.json
    python benchmarks/retarget.py --robots unitree_h1 --library out/motion/library.npz --clips train/walking/walking_1
    python benchmarks/retarget.py --gmr <checkout of github.com/YanjieZe/GMR>     # the same motion by its recipe

Motion is generated unless a library is given. Times are of one thread, frame by frame, on the wall clock and as CPU
time, which a busy machine does not stretch; quality is measured by
`physhmr.eval.retarget_metrics`, equally for both. Upper-body and full-body mode are then played on the simulated robot,
and the targets sent through the safety gate.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physhmr.body.skeleton import BODY_INDEX, Skeleton
from physhmr.config import RetargetConfig
from physhmr.eval.provenance import provenance
from physhmr.eval.retarget_metrics import HAND_TOLERANCE, hand_errors, retarget_metrics
from physhmr.geometry.rotation import Y_UP_TO_Z_UP, matrix_to_quat
from physhmr.motion.clip import load_clips
from physhmr.motion.onto_humanoid import onto_humanoid
from physhmr.motion.procedural import generate
from physhmr.retarget.clear_way import JointClearance
from physhmr.retarget.human import HumanFrame, human_from_clip
from physhmr.retarget.joint_limiter import limits_of
from physhmr.retarget.proportions import skeleton_proportions
from physhmr.retarget.retargeter import RetargetCfg, Retargeter
from physhmr.retarget.robot import Robot, load_robot
from physhmr.retarget.robot_sim import RobotSim
from physhmr.retarget.safety_gate import Mode, SafetyGate
from physhmr.types import Array, MotionClip

RECIPES = tuple((recipe, seed) for recipe in ("walk", "squat", "gesture") for seed in (0, 1, 2))
SMPL_JOINTS = {
    "pelvis": "Pelvis", "spine3": "Chest",
    **{f"{side}_{theirs}": f"{side[0].upper()}_{ours}" for side in ("left", "right") for theirs, ours in (
        ("hip", "Hip"), ("knee", "Knee"), ("foot", "Toe"), ("shoulder", "Shoulder"), ("elbow", "Elbow"),
        ("wrist", "Wrist"))},
}  # fmt: skip
BARS = {
    "median_ms": 4.0, "p99_ms": 8.0, "limit_violations": 0, "distance_min": 0.0, "slip_pinned_max": 2.0,
    "hand_mm": 1000 * HAND_TOLERANCE,
}  # fmt: skip


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robots", nargs="+", default=["unitree_g1"])
    parser.add_argument("--library", type=Path)
    parser.add_argument("--clips", nargs="+", default=[], help="by name; default: all that walk, squat, gesture")
    parser.add_argument("--gmr", type=Path, help="checkout of GMR, measured on the same motion (G1 only)")
    parser.add_argument("--no-sim", action="store_true", help="leave the simulated robot out")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    skeleton = Skeleton()
    clips = chosen(given.library, given.clips, skeleton)
    humans = {clip.name: human_from_clip(clip, skeleton) for clip in clips}
    result: dict[str, Any] = {"provenance": provenance([]).as_dict(), "bars": BARS, "clips": list(humans), "robots": {}}
    for name in given.robots:
        robot = load_robot(name)
        result["robots"][name] = {"ours": ours(robot, humans, skeleton)}
        if given.gmr and name == "unitree_g1":
            result["robots"][name]["gmr"] = gmr(given.gmr, robot, humans, skeleton)
        if not given.no_sim:
            result["robots"][name]["simulated"] = simulated(robot, humans, skeleton)
            modes = {"full_body": False, "upper_body": True} if robot.upper_joints else {"full_body": False}
            result["robots"][name]["commands"] = {
                mode: commanded(robot, humans, skeleton, upper) for mode, upper in modes.items()
            }
        print(json.dumps({name: result["robots"][name]}, indent=1), flush=True)
        if given.out:
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(result, indent=1) + "\n")


def chosen(library: Path | None, names: list[str], skeleton: Skeleton) -> list[MotionClip]:
    """Clips of the library, or generated ones."""
    if library is None:
        clips = onto_humanoid([generate(recipe, seed, skeleton, 12.0) for recipe, seed in RECIPES], skeleton)
    else:
        clips = load_clips(library)
    if names:
        return [clip for clip in clips if clip.name in names]
    return [clip for clip in clips if any(word in clip.name for word in ("walk", "squat", "gesture"))]


def ours(robot: Robot, humans: dict[str, list[HumanFrame]], skeleton: Skeleton) -> dict[str, Any]:
    """Retarget every clip from a fresh start, timed."""
    retargeter = Retargeter(robot, skeleton_proportions(skeleton))
    times, poses, pinned, infeasible = [], [], [], 0
    for frames in humans.values():
        retargeter.reset()
        q = []
        for index, frame in enumerate(frames):
            start = time.perf_counter(), time.thread_time()
            target = retargeter.step(frame)
            if index:  # The first frame settles, once.
                times.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
            q.append(target.q)
            pinned.append(target.pinned)
            infeasible += not target.feasible
        poses.append(np.array(q))
    measured = report(robot, retargeter, humans, poses, times)
    measured |= pinning(robot, humans, poses, np.array(pinned)) | {"infeasible_frames": infeasible}
    missed, judged = unreached(retargeter, humans, poses)
    return measured | {"hands_far_though_reachable": missed, "hands_reachable": judged}


def pinning(
    robot: Robot, humans: dict[str, list[HumanFrame]], poses: list[Array], pinned: NDArray[np.bool_]
) -> dict[str, float]:
    """Slip, mm a frame, of corners that the targets (F, 2, 4) call pinned; how many of those that stand are not."""
    slips, start = [], 0
    for q in poses:
        corners = np.array([robot.corners(robot.placed(pose)) for pose in q])
        moved, stays = np.linalg.norm(np.diff(corners[..., :2], axis=0), axis=-1), pinned[start : start + len(q)]
        slips.append(moved[stays[1:] & stays[:-1]])
        start += len(q)
    standing = np.repeat([frame.contact for frames in humans.values() for frame in frames], 2, axis=-1)
    return {
        "slip_pinned_max": round(1000 * float(np.concatenate(slips).max()), 4),
        "corners_standing": int(standing.sum()), "corners_standing_unpinned": int((standing & ~pinned).sum()),
    }  # fmt: skip


def report(
    robot: Robot,
    retargeter: Retargeter,
    humans: dict[str, list[HumanFrame]],
    poses: list[Array],
    times: list[tuple[float, float]],
) -> dict[str, Any]:
    """Times and metrics."""
    metrics = retarget_metrics(robot, retargeter.goal_maker, list(humans.values()), poses).as_dict()
    wall, cpu = 1e3 * np.array(times).T
    timing = {
        "median_ms": np.median(wall), "p99_ms": np.percentile(wall, 99),
        "median_cpu_ms": np.median(cpu), "p99_cpu_ms": np.percentile(cpu, 99), "max_cpu_ms": cpu.max(),
    }  # fmt: skip
    # JSON knows no NaN: a robot without hands has no hands' errors.
    return {key: round(float(v), 4) if np.isfinite(v) else None for key, v in {**timing, **metrics}.items()}


def unreached(retargeter: Retargeter, humans: dict[str, list[HumanFrame]], poses: list[Array]) -> tuple[int, int]:
    """Hands (and how many were judged) that are far although a fresh start in that pose would bring them near.

    Reachable is what settling from the standing pose reaches, inside limits and without collisions; frames are
    judged two a second.
    """
    missed = reachable = 0
    for frames, q in zip(humans.values(), poses, strict=True):
        for index in range(10, len(frames), 15):
            frame = frames[index]
            ours = hand_errors(retargeter.robot, retargeter.goal_maker, [frame], q[index : index + 1])[0]
            retargeter.reset()
            fresh = hand_errors(retargeter.robot, retargeter.goal_maker, [frame], retargeter.step(frame).q[None])[0]
            within = np.minimum(fresh, ours) < HAND_TOLERANCE
            reachable += int(within.sum())
            missed += int((within & (ours >= HAND_TOLERANCE)).sum())
    return missed, reachable


def simulated(robot: Robot, humans: dict[str, list[HumanFrame]], skeleton: Skeleton) -> dict[str, Any]:
    """Play the targets on the robot's own actuators: seconds until it falls, falls, tracking error."""
    told: dict[str, Any] = {}
    for mode, upper in (("upper_body", True), ("full_body", False)):
        if upper and not robot.upper_joints:
            continue
        retargeter, errors, falls, upright = Retargeter(robot, skeleton_proportions(skeleton), None, upper), [], 0, 0
        for frames in humans.values():
            retargeter.reset()
            sim = RobotSim(robot, balance=upper)
            for index, frame in enumerate(frames):
                target = retargeter.step(frame)
                if not index:
                    sim.reset(target.q)
                errors.append(sim.step(target.joints, 1 / 30))
                if sim.fallen:
                    break
                upright += 1
            falls += sim.falls
        seconds = sum(len(frames) for frames in humans.values()) / 30
        told[mode] = {"clips": len(humans), "falls": falls, "upright_share": round(upright / 30 / seconds, 3),
                      "tracking_rms_rad": round(float(np.mean(errors)), 4)}  # fmt: skip
    return told


def commanded(robot: Robot, humans: dict[str, list[HumanFrame]], skeleton: Skeleton, upper: bool) -> dict[str, Any]:
    """What the node would send with its defaults: distance of own parts, distance from the targets, stops, times."""
    config = RetargetConfig()
    cfg = RetargetCfg(speed=config.speed)
    retargeter = Retargeter(robot, skeleton_proportions(skeleton), cfg, upper)
    joints = robot.upper_joints if upper else list(range(robot.num_joints))
    limits, q = limits_of(robot, joints, config.speed), robot.stand.copy()
    clearance = JointClearance(robot, retargeter.collision, joints)
    distances, apart, times, detours, stops = [], [], [], 0, Counter[str]()
    for frames in humans.values():
        retargeter.reset()
        gate = SafetyGate(limits, 1.0 / config.rate, None, clearance)
        now, command = 0.0, None
        for frame in frames:
            target = retargeter.step(frame).only(joints)
            gate.press(now, True)
            gate.offer(now, target)
            if command is None or (gate.mode is Mode.HOLDING and not command.velocity.any()):
                gate.enable(now, target.joints if command is None else command.position)
            mode = gate.mode
            while now < (frame.stamp_ns - frames[0].stamp_ns) * 1e-9:
                now, start = now + 1.0 / config.rate, time.thread_time()
                command = gate.step(now)
                times.append(1e3 * (time.thread_time() - start))
                if command is not None:
                    q[7:][joints] = command.position
                    detours += command.detour
                    distances.append(retargeter.collision.smallest(robot.placed(q)))
                    apart.append(np.abs(command.position - target.joints).max())
            if gate.mode is Mode.HOLDING and mode is not Mode.HOLDING:
                stops[gate.stop.value] += 1
    return {
        "commands": len(distances), "colliding": int((np.array(distances) < 0).sum()), "detours": detours,
        "stops": dict(stops), "distance_min_mm": round(1000 * float(min(distances)), 2),
        "from_target_p95_rad": round(float(np.percentile(apart, 95)), 3),
        "median_cpu_ms": round(float(np.median(times)), 2), "p99_cpu_ms": round(float(np.percentile(times, 99)), 2),
    }  # fmt: skip


def gmr(checkout: Path, robot: Robot, humans: dict[str, list[HumanFrame]], skeleton: Skeleton) -> dict[str, Any]:
    """GMR's own code and tables on the same human, measured as ours; its joints are taken by name."""
    package = types.ModuleType("general_motion_retargeting")
    package.__path__ = [str(checkout / "general_motion_retargeting")]  # Without the package's other requirements.
    sys.modules[package.__name__] = package
    module = importlib.import_module("general_motion_retargeting.motion_retarget")
    retargeter = Retargeter(robot, skeleton_proportions(skeleton))
    times, poses = [], []
    for frames in humans.values():
        theirs = module.GeneralMotionRetargeting("smplx", "unitree_g1", actual_human_height=skeleton.shape.height)
        names = [theirs.model.joint(index).name for index in range(1, theirs.model.njnt)]
        order = [7 + names.index(name) for name in robot.joint_names]
        q = []
        for index, frame in enumerate(frames):
            start = time.perf_counter(), time.thread_time()
            pose = theirs.retarget(smpl_pose(frame))
            if index:
                times.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
            q.append(np.concatenate([pose[:7], pose[order]]))
        poses.append(np.array(q))
    return report(robot, retargeter, humans, poses, times)


def smpl_pose(frame: HumanFrame) -> dict[str, list[Array]]:
    """Joint -> position and wxyz quaternion in SMPL's axes (x left, y up, z forward)."""
    quats = matrix_to_quat(frame.rot_w @ Y_UP_TO_Z_UP)
    return {t: [frame.pos_w[BODY_INDEX[o]].copy(), quats[BODY_INDEX[o]]] for t, o in SMPL_JOINTS.items()}


if __name__ == "__main__":
    main()
