"""A whole site on one machine, on real parts: the exit's test bench.

Law: builds, runs and removes the site; it may use every room below, and nothing of the exit depends on it.

`site.up` and `site.down` are the two ends. `plan` says where everything is, `state` what was made, `teardown`
removes it, `reach` tells a person the ways in. `doctor` looks at this machine, `packages` installs (while
`policy` keeps daemons down), `parts` builds the programs (`bound` runs the compiler). `netns`, `cgroups`,
`node_root` and `nodes` make machines; `cluster_source` and `source_*` make three of them the cluster that is
to be left; `services/` is what stands beside it.
"""
