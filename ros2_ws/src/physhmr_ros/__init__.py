"""Thin ROS 2 layer over `physhmr`: messages in, library calls, messages out."""
