"""Pages that need nothing but a browser: one file each, which asks for nothing from outside."""
