"""The nodes: the only place with threads, timers and clocks."""
