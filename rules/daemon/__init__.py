"""The rules daemon: from batches on the broker to commits, deliveries, messages and reloads."""
