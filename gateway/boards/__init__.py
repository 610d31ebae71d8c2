"""Boards of Grafana, made from code that is tied to the schema of the stores."""
