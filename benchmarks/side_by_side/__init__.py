"""Two keypoint chains in turns on the same frames."""
