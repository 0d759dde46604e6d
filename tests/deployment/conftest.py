"""What the tests of deployments stand on."""

from tests.deployment.azure import azure

__all__ = ["azure"]
