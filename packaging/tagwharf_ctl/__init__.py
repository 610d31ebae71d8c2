"""The command `tagwharf-ctl`: which installed version of Tagwharf runs. Standard library, Debian's own Python."""
