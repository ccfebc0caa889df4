"""Sandboxes: how a command is confined."""
