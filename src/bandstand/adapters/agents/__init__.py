"""Protocols that agents speak, translated to our own words."""
