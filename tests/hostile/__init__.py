"""Hostile input: what must be quarantined, refused or spelled out, and never obeyed."""
