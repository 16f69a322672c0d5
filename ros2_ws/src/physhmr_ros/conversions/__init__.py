"""Messages to the library's values and back: the only place that builds messages and knows xyzw quaternions."""
