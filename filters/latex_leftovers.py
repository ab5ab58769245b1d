"""STAND-IN."""

from filters.leftovers import Leftover


def find_leftovers(text, macros=()):
    return []
