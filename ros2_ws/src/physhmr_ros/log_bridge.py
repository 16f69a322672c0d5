"""What the library logs, in the log of a node: the library knows Python's logging only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.impl.rcutils_logger import RcutilsLogger

LIBRARY = "physhmr"


@contextmanager
def library_log(logger: RcutilsLogger) -> Iterator[None]:
    """Hand what the library logs meanwhile, from INFO up, on to a ROS logger."""
    source, bridge = logging.getLogger(LIBRARY), _Bridge(logger)
    level = source.level
    source.addHandler(bridge)
    source.setLevel(logging.INFO)
    try:
        yield
    finally:
        source.removeHandler(bridge)
        source.setLevel(level)


class _Bridge(logging.Handler):
    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; rclpy binds a severity to each line of source, so the calls cannot be one."""
        if record.levelno >= logging.ERROR:
            self._logger.error(record.getMessage())
        elif record.levelno >= logging.WARNING:
            self._logger.warning(record.getMessage())
        else:
            self._logger.info(record.getMessage())
