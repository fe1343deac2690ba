"""The bundle of the export's tests that drives without having learned anything."""

from tests.export.conftest import always_go

__all__ = ["always_go"]
