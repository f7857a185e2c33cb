"""config.toml and the environment, as frozen settings.

`file` is what the file may say, `consoles` and `feeds` are what it means, `settings` reads it all.
"""

from sentinelone_source.config.consoles import is_loopback
from sentinelone_source.config.feeds import FeedSettings
from sentinelone_source.config.file import (
    Azure,
    Broker,
    Console,
    Feed,
    Handover,
    Mappings,
    State,
    Telemetry,
)
from sentinelone_source.config.handover import check_destination
from sentinelone_source.config.listen import Address
from sentinelone_source.config.settings import (
    Settings,
    check_feed_names,
    find_config,
    load_settings,
)

__all__ = [
    "Address",
    "Azure",
    "Broker",
    "Console",
    "Feed",
    "FeedSettings",
    "Handover",
    "Mappings",
    "Settings",
    "State",
    "Telemetry",
    "check_destination",
    "check_feed_names",
    "find_config",
    "is_loopback",
    "load_settings",
]
