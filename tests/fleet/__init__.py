"""Tests of the comparison of environments."""
