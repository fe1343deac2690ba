"""Many policies in many scenes, on the same seeds, by all cores: one table and one picture.

`settings` says what is measured, `episodes` plays one, `run` plays them all and goes on where it was stopped, `record`
is the folder that makes this possible, `tables` and `plot` show what came out.
"""
