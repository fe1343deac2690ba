"""The only folder that knows Bullet."""
