"""Causal lifting: from the newest rays and landmarks to the pose a tracking policy is asked to take."""
