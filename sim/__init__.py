"""The warehouse: layouts, physics, sensors, orders, and the PettingZoo environment. No torch."""
