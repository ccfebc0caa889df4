"""Bandstand: an orchestrator for fleets of coding agents. Importing it does nothing."""

__version__ = "0.1.0"
