"""May these hosts become nodes? One file a check; `looking` asks every host and makes findings of the answers."""
