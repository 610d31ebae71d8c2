"""The edge daemon, and the floor that every process stands on: contract, configuration, MQTT, health, logs."""
