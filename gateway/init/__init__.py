"""First-run help, `tagwharf init`: asks little, finds devices without disturbing them, and writes what a site needs.

Nothing is written before all of it was shown and agreed to; what exists is never overwritten.
"""
