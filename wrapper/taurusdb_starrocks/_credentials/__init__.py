"""What a request is authenticated with: a file for each kind, and one that finds them."""

from taurusdb_starrocks._credentials.access_key import AccessKeyAuth
from taurusdb_starrocks._credentials.credentials import Credentials, Login
from taurusdb_starrocks._credentials.iam import IamPasswordAuth
from taurusdb_starrocks._credentials.token import TokenAuth

__all__ = ["AccessKeyAuth", "Credentials", "IamPasswordAuth", "Login", "TokenAuth"]
