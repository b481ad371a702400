"""Credentials: one file for each kind, and one that finds them."""

from taurusdb_starrocks._credentials.credentials import Credentials, Login
from taurusdb_starrocks._credentials.token import TokenAuth

__all__ = ["Credentials", "Login", "TokenAuth"]
