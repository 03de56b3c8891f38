"""Searches that are killed at random points and gone on with: is anything paid twice, or overshot?"""
