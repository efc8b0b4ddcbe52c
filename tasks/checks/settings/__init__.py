"""Do the nodes have the settings of their profile, now and after a boot? Asked as often as one likes."""
