"""The simulated humanoid as SMPL's parameters."""

from __future__ import annotations

import numpy as np

from physhmr.body.smpl_parameters import NUM_BETAS, SmplParameters
from physhmr_msgs.msg import SmplParameters as SmplMessage
from physhmr_ros.conversions.primitives import header


def to_message(stamp_ns: int, parameters: SmplParameters, scale: float, world: str) -> SmplMessage:
    """Return the message of one body; `scale` is humanoid height / person height."""
    return SmplMessage(
        header=header(stamp_ns, world),
        betas=np.zeros(NUM_BETAS),
        global_orient=parameters.global_orient,
        body_pose=parameters.body_pose,
        transl=parameters.transl,
        scale=scale,
    )


def from_message(message: SmplMessage) -> SmplParameters:
    """Return what the message says of pose and place; raises `NonFiniteError` for what are no numbers."""
    return SmplParameters(message.global_orient, message.body_pose, message.transl)
