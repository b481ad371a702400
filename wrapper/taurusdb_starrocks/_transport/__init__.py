"""Transport of calls: connections, deadlines, limits, attempts, logging and tracing."""
