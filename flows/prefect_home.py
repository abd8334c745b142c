"""How Prefect runs when nobody has set it up: quietly, offline, with all of its state in the data folder."""

from __future__ import annotations

import os
from pathlib import Path


def embed(data: Path, *, log_level: str = "WARNING") -> None:
    """Set defaults for an embedded Prefect; must be called before Prefect is imported.

    What the environment already says (an API address, another home) wins. `log_level` is CRITICAL where the command
    itself tells people what went wrong.
    """
    defaults = {
        "PREFECT_HOME": str(data.resolve() / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The first start takes 10-20 s on two busy cores; Prefect's default of 20 s is not enough there.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "PREFECT_LOGGING_LEVEL": log_level,
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL" if log_level == "CRITICAL" else "ERROR",
        "PREFECT_CLI_PROMPT": "false",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
