"""Ordering on the console: what may be ordered, what stands armed, and what the audit says of it."""
