"""AMASS (Mahmood et al. 2019, amass.is.tue.mpg.de): SMPL-H or SMPL-X axis angles in one npz a clip, z up.

Keys as in nghorbani/amass (SMPL-H: poses (T, 156), trans (T, 3), betas, mocap_framerate) and in the SMPL-X
release (`*_stageii.npz`: poses (T, 165), mocap_frame_rate). Its licence allows research, not commerce: no such
clip is in the shipped list, and a policy trained on them is bound by that licence.
"""

from __future__ import annotations

import numpy as np

from physhmr.body.skeleton import Skeleton
from physhmr.errors import MotionFileError
from physhmr.motion.array_file import frame_rate, numbers, read_arrays
from physhmr.motion.onto_humanoid import transfer
from physhmr.motion.smpl import JOINTS, NUM_JOINTS, SmplBody, own_body, smpl_motion
from physhmr.motion.source import PoseStream, SourceMotion

SOURCE = "AMASS (Mahmood et al. 2019), for research only"
RATES = ("mocap_framerate", "mocap_frame_rate")
JOINT_OF = {name: name for name in JOINTS}
"""Our bodies -> joints of this format; hands follow the wrists."""


def load_amass(name: str, content: bytes, skeleton: Skeleton, body: SmplBody | None = None) -> PoseStream:
    """What a clip asks of our bodies; `body` knows the performer's bones, without it they count as ours.

    Raises `MotionFileError` for other content.
    """
    return transfer(read_amass(name, content, body or own_body(skeleton)), JOINT_OF, skeleton)


def read_amass(name: str, content: bytes, body: SmplBody) -> SourceMotion:
    """Read one clip, posed on `body`; raises `MotionFileError` for other content."""
    found = read_arrays(name, content, ("poses", "trans", "betas", *RATES))
    rates = [found[key] for key in RATES if key in found]
    missing = [key for key in ("poses", "trans", "betas") if key not in found]
    if missing or not rates:
        raise MotionFileError(f"{name} is not an AMASS clip: it lacks {', '.join(missing or [' or '.join(RATES)])}")
    poses = numbers(name, "poses", found["poses"], (None, None))
    if poses.shape[1] < 3 * NUM_JOINTS or poses.shape[1] % 3:
        raise MotionFileError(f"{name}: 'poses' must hold {3 * NUM_JOINTS} or more angles a frame, got {poses.shape}")
    trans = numbers(name, "trans", found["trans"], (len(poses), 3))
    betas = numbers(name, "betas", np.ravel(found["betas"]), (None,))
    fps = frame_rate(name, RATES[0], rates[0])
    return smpl_motion(name, fps, body, poses.reshape(len(poses), -1, 3), betas, trans, SOURCE)
