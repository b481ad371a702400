"""A conformance suite for servers that implement the contract of TaurusDB StarRocks replication."""
