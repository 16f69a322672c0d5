"""Settings of all tests: a ROS domain of its own for every process, where there is a ROS; no deadlines."""

from __future__ import annotations

import os

from hypothesis import settings

# Timing belongs into benchmarks/: a busy machine must not turn a property into a failure.
settings.register_profile("physhmr", deadline=None)
settings.load_profile("physhmr")

try:
    from domain_coordinator import domain_id
except ImportError:
    pass
else:
    # Kept open: the domain is ours as long as this process holds its port.
    _domain = domain_id()
    os.environ["ROS_DOMAIN_ID"] = str(_domain.__enter__())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
