"""The services: what Bandstand does, spoken through ports."""
