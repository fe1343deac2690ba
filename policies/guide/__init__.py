"""Guidance found by search: what the aisles of a map should cost for a fleet, by evolution of whole episodes.

`settings` says what is searched and how, `search` does it on all cores, `record` keeps what was played so that it can
go on, `outcome` holds the old guidance against the new one on fresh orders.
"""
