"""Captured and generated motion, brought onto the humanoid."""
