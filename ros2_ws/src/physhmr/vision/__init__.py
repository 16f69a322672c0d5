"""From an image to the keypoints of one person."""
