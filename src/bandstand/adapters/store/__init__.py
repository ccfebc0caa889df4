"""Event logs on real databases."""
