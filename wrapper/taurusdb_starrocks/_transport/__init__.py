"""How calls are carried: connections, deadlines, bounds, attempts as performed, log and trace."""
