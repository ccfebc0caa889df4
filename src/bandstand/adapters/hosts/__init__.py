"""Holders of agent processes, and the client that speaks to them."""
