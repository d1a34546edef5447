"""Whether a feature keeps the promise: nothing computed for a moment used anything later than that moment.

Every check compares two readings that must agree, so that it needs no idea of the trick that makes them differ.
"""
