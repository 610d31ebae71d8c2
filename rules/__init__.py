"""The rules daemon: judges events, keeps its state, writes stores. Knows events, never a driver or an observation."""
