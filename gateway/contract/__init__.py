"""What travels on MQTT, version 1: the one source of its JSON Schema and AsyncAPI document."""
