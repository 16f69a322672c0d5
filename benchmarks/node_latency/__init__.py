"""The parts of benchmarks/latency.py: play, run, record, measure, judge."""
