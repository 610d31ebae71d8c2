"""Why a rule did something, or nothing, and what it would have done: traces and replays of recordings."""
