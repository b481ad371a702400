"""What this project's client costs, beside others: `make bench`, or `python -m bench --quick`."""
