"""The ports: what the services need from the world, in our own words.

Each verb says what it brings about, whether it may be repeated, and which errors it raises. For every port there is a
fake in `bandstand.testing` and at least one adapter; one contract suite in `tests/contracts` judges them all.
Any verb may raise `Broken` when the world is not as it must be.
"""
