"""Central planners, which a user could run in place of a learned policy: they know everything about all robots.

They share the robots' motion, orders and physics with everybody else. `ways` and `driving` execute what a planner
decides; `pibt` claims cells one by one, `rhcr` plans whole ways through space and time.
"""
