"""What the network is made of: facilities, units, rooms, beds, their state and use."""
