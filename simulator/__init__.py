"""Plays every device, so that the product runs whole in CI and in a demo. Knows codecs, no driver; nobody knows it."""
