"""The version of the package. The `User-Agent` and the build read it from here."""

__version__ = "0.1.0"
