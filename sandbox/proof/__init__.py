"""A second opinion on races: a static verifier (PyPI's `sentryward`) asked about every schedule of a launch.

What it says stands beside a verdict and never in its place: it reads the PTX with a model of its own, in which there
are no fences, and whoever is sure of neither answer says so.
"""
