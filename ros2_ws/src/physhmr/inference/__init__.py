"""Engines that run a neural network, and the files they run."""
