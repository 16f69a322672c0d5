"""Observation, networks, action and run time of the policies; works on arrays, never on the simulator."""
