"""Fuzzing: made-up files of every format and their damaged copies through every reader and parser. ``run.py`` does it for a time."""
