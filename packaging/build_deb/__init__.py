"""How the Debian packages are made: `tagwharf-runtime-VERSION`, one beside the other, and `tagwharf`."""
