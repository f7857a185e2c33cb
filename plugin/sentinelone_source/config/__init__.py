"""config.toml and the environment, as frozen settings.

`file` has the tables and keys. `consoles`, `feeds`, `handover`, `listen`, `urls` and `azure` check
their values. `settings` reads the file and the environment.
"""

from sentinelone_source.config.feeds import FeedSettings
from sentinelone_source.config.file import (
    AzureTable,
    BrokerTable,
    ConsoleTable,
    FeedTable,
    HandoverTable,
    HealthTable,
    MappingsTable,
    RequestsTable,
    StateTable,
    TelemetryTable,
)
from sentinelone_source.config.handover import check_destination, render_tag
from sentinelone_source.config.listen import Address
from sentinelone_source.config.settings import (
    Settings,
    check_feed_names,
    find_config,
    load_settings,
)
from sentinelone_source.config.urls import is_loopback

__all__ = [
    "Address",
    "AzureTable",
    "BrokerTable",
    "ConsoleTable",
    "FeedSettings",
    "FeedTable",
    "HandoverTable",
    "HealthTable",
    "MappingsTable",
    "RequestsTable",
    "Settings",
    "StateTable",
    "TelemetryTable",
    "check_destination",
    "check_feed_names",
    "find_config",
    "is_loopback",
    "load_settings",
    "render_tag",
]
