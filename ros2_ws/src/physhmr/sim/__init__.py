"""Physics: one humanoid in real time, or many at once for training."""
