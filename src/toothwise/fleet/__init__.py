"""Many gearboxes: maps scored by the million, and records diagnosed as they come."""
