"""Secrets, from systemd credentials only; readers have the same need, so the code is theirs."""

from readers.credentials import LARGEST_BYTES, credential

__all__ = ["LARGEST_BYTES", "credential"]
