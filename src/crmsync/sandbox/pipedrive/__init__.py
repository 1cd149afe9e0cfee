"""A simulated Pipedrive company: API v2, the routes that exist in v1 only, and OAuth."""

from __future__ import annotations

from crmsync.sandbox.pipedrive.crm import Pipedrive
from crmsync.sandbox.pipedrive.settings import PipedriveSettings

__all__ = ["Pipedrive", "PipedriveSettings"]
