"""How the simulated humanoid stands, as wrenches on its feet and as HumanPhysics."""

from __future__ import annotations

from geometry_msgs.msg import Point, Vector3, Wrench, WrenchStamped

from physhmr.sim.foot_wrench import FEET
from physhmr.types import Physics
from physhmr_msgs.msg import HumanPhysics
from physhmr_ros.conversions.primitives import header

WRENCH_TOPICS = ("human/wrench/left_foot", "human/wrench/right_foot")
"""One a foot, in the order of `Physics`."""


def foot_wrench(stamp_ns: int, physics: Physics, foot: int, prefix: str) -> WrenchStamped:
    """Return the floor's push on the left (0) or right (1) foot, about and in the axes of its ankle's TF frame."""
    fx, fy, fz, tx, ty, tz = physics.foot_wrench_b[foot].tolist()
    wrench = Wrench(force=Vector3(x=fx, y=fy, z=fz), torque=Vector3(x=tx, y=ty, z=tz))
    return WrenchStamped(header=header(stamp_ns, prefix + FEET[foot]), wrench=wrench)


def human_physics(stamp_ns: int, physics: Physics, world: str) -> HumanPhysics:
    """Return balance, sliding and penetration."""
    x, y, z = physics.com_w.tolist()
    return HumanPhysics(
        header=header(stamp_ns, world),
        center_of_mass=Point(x=x, y=y, z=z),
        supported=physics.support_margin is not None,
        support=[Point(x=x, y=y) for x, y in physics.support_w.tolist()],
        support_margin=physics.support_margin or 0.0,
        skate_mm_per_frame=physics.skate_mm,
        standing_corners=physics.standing_corners,
        penetration_mm=physics.penetration_mm,
    )
