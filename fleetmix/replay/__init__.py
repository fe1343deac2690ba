"""Recordings, looked at: what happened, why each robot did what it did, and a page and a film that play it."""
