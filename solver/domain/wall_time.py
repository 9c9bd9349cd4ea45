"""The clock on the wall of the network: legal days and what officers read are Asia/Shanghai."""

from datetime import timedelta, timezone
from typing import Final

SHANGHAI: Final = timezone(timedelta(hours=8))  # no summer time since 1991
"""The offset of Asia/Shanghai."""
