"""Pure decision logic: it depends only on arguments, not on the network, a clock or randomness.

A process with several steps is a generator. It yields the next step and receives the result. So it
is written once for both clients, and a test drives it with ``next`` and ``send``.
"""
