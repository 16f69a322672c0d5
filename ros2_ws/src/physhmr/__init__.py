"""PhysHMR, live: a camera moves a physical humanoid. This package never imports ROS."""

__version__ = "0.1.0"
