"""May these hosts become nodes? One file a check; `looking` asks the hosts and makes findings of answers."""
