"""A run over several machines: each worker of a Dask cluster is the generator of one shard.

Law: record i goes to shard i mod n; all start at one moment of the wall clock; histograms are added by
counts. No shard is left out: one that is lost voids the run, and its records count as errors.

Shards, parts and their sums know nothing of Dask: the processes of one machine use them as well
(`tasks.replay.processes`).
"""
