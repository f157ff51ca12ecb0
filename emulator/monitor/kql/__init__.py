"""A small, honest part of the Kusto query language."""
