"""The rehearsal agent: an ACP agent that plays a written score. Standard library only."""
