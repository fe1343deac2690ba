"""The bundles of the export's tests, for what is thrown at them here."""

from tests.export.conftest import mlp_bundle

__all__ = ["mlp_bundle"]
