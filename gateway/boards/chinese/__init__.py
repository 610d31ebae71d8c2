"""The boards in Chinese: the same, in other words."""
