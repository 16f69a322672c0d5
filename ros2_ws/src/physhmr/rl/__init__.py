"""Training: environments on a `BatchSim`, rewards and terminations as pure functions, glue to rsl-rl."""
