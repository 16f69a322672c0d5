"""Every test process gets a ROS domain of its own, where there is a ROS, and stays on this machine."""

from __future__ import annotations

import os

try:
    from domain_coordinator import domain_id
except ImportError:
    pass
else:
    # Kept open: the domain is ours as long as this process holds its port.
    _domain = domain_id()
    os.environ["ROS_DOMAIN_ID"] = str(_domain.__enter__())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
