"""Keys of a fleet: who is who on the network, and what each may do there."""
