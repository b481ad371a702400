"""A client library for accessing TaurusDB StarRocks data synchronization"""

from .client import AuthenticatedClient, Client

__all__ = (
    "AuthenticatedClient",
    "Client",
)
