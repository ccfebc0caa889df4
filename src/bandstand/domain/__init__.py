"""The domain: what a fleet of coding agents is, in values and pure functions.

Nothing here reads a clock, a disk, a network or chance; time and identifiers come in by parameter.
"""
