"""The daemon: what the other faces ask, behind a Unix socket."""
