"""The parts of benchmarks/faults.py: a camera that misbehaves, the chain, a listener, the faults, the verdict."""
