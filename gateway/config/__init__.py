"""`site.toml`: its models, its faults, its sample and its reference page."""
