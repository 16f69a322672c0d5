"""What a policy file and the program that runs it must agree on."""

from __future__ import annotations

import hashlib

from physhmr.body.humanoid_mjcf import humanoid_xml
from physhmr.body.skeleton import Skeleton

CONTRACT_VERSION = "1"
"""Raised whenever observation, action or metadata change their meaning."""


def skeleton_hash(skeleton: Skeleton) -> str:
    """SHA-256 of the body's MJCF: one bone, mass, gain or time step more and it is another body."""
    return hashlib.sha256(humanoid_xml(skeleton.shape).encode()).hexdigest()
