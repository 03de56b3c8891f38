"""Graphs that PyTorch exported as tasks: translated, held against the module, at sizes that fit."""
