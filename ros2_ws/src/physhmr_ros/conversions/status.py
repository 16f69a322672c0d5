"""Reports of a node as a DiagnosticArray."""

from __future__ import annotations

from collections.abc import Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from physhmr_ros.conversions.primitives import header
from physhmr_ros.diagnostics import Report


def diagnostic_array(stamp_ns: int, reports: Iterable[Report]) -> DiagnosticArray:
    """Return the reports as one message for /diagnostics."""
    return DiagnosticArray(header=header(stamp_ns, ""), status=[_status(report) for report in reports])


def stage_medians(message: DiagnosticArray) -> dict[str, float]:
    """Return the median milliseconds of every stage that the reports in a message tell of."""
    ending = "_ms_p50"
    values = [value for status in message.status for value in status.values if value.key.endswith(ending)]
    return {value.key.removesuffix(ending): float(value.value) for value in values}


def _status(report: Report) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=bytes([report.level]),
        name=report.name,
        message=report.message,
        hardware_id="physhmr",
        values=[KeyValue(key=key, value=_text(value)) for key, value in report.values.items()],
    )


def _text(value: float | int | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
