"""config.toml and the environment, as frozen settings.

`file` has the tables and keys. `addresses`, `checks` and `azure` check their values. `settings`
reads the file and the environment.
"""

from sentinelone_source.config.addresses import Address, is_loopback
from sentinelone_source.config.checks import check_destination, render_tag
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
from sentinelone_source.config.settings import (
    FeedSettings,
    Settings,
    check_feed_names,
    find_config,
    load_settings,
    read_duration,
)

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
    "read_duration",
    "render_tag",
]
