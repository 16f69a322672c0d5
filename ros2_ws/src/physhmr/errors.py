"""Errors of the library. Each takes the raw facts and composes a message a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhyshmrError(Exception):
    """Base of every error that this library raises on purpose."""


class ShapeError(PhyshmrError):
    """An array does not have the shape its consumer needs."""

    def __init__(self, name: str, expected: object, got: object) -> None:
        super().__init__(f"{name} must have shape {expected}, got {got}")


class NonFiniteError(PhyshmrError):
    """An array holds NaN or infinity where numbers are required."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(f"{name} holds {count} non-finite value(s); drop the sample or repair its source")


class UnknownNameError(PhyshmrError):
    """A name is not among the valid ones; the message lists the nearest and all of them."""

    def __init__(self, what: str, name: str, valid: Iterable[str]) -> None:
        options = sorted(valid)
        near = difflib.get_close_matches(name, options, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        super().__init__(f"unknown {what} '{name}'.{hint} Valid: {', '.join(options)}")


class ConfigError(PhyshmrError):
    """A parameter has the wrong type or lies outside its range."""

    def __init__(self, name: str, rule: str, got: object) -> None:
        super().__init__(f"parameter '{name}' {rule}, got {got!r}")


class ImageError(PhyshmrError):
    """An image cannot be read: its encoding, size or content is not what it says."""


class CameraError(PhyshmrError):
    """A camera description cannot be used."""


class ModelFileError(PhyshmrError):
    """A model file is missing, damaged, or not the one the code expects."""


class EngineError(PhyshmrError):
    """An inference engine cannot be built, loaded or run here; the message says what to install or choose."""


class MotionFileError(PhyshmrError):
    """A motion file is missing, damaged, or of an unknown layout."""


class DivergedError(PhyshmrError):
    """The simulation produced non-finite or exploding numbers."""


class VideoError(PhyshmrError):
    """A video or webcam cannot be opened or read."""


class BagError(PhyshmrError):
    """A bag cannot be read or written."""


class CalibrationError(PhyshmrError):
    """The camera's pose cannot be found from what was observed."""


class RobotError(PhyshmrError):
    """A robot's description, its model, or what is asked of it cannot be used."""
