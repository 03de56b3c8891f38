"""Measurements of warpwright itself and beside its peers; each module is a command that prints what it measured."""
