"""The stage of each chaos test."""

from tests.e2e.conftest import stage

__all__ = ["stage"]
