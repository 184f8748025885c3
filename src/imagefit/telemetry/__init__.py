"""What imagefit says about its work: events, metrics and spans.

``log = telemetry.part("registry")`` is how a part speaks; ``imagefit.telemetry.metrics`` has every metric,
``imagefit.telemetry.tracing`` the spans.
"""

from imagefit.telemetry.lines import FORMATS, Format
from imagefit.telemetry.logs import LEVELS, PARTS, Level, LogSettings, Part, configure_logging, log_crashes, part
from imagefit.telemetry.redaction import redacted

__all__ = [
    "FORMATS",
    "LEVELS",
    "PARTS",
    "Format",
    "Level",
    "LogSettings",
    "Part",
    "configure_logging",
    "log_crashes",
    "part",
    "redacted",
]
