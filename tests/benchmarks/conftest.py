"""The bundles of the export's tests, for what is thrown at them here."""

from tests.export.conftest import always_go, mlp_bundle

__all__ = ["always_go", "mlp_bundle"]
