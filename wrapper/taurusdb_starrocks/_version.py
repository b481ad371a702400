"""The version, for the package, its `User-Agent` and what builds the package; nowhere else."""

__version__ = "0.1.0"
