"""Plan the songs of an evening."""
