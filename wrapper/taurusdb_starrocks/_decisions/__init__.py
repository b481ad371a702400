"""What is decided, and by nothing but arguments: no network, no clock, no chance of its own.

What takes several steps is a generator that says what to do next and is told how it went, so that
it is written once, both clients perform it, and a test drives it with ``next`` and ``send``.
"""
