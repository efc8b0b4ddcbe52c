"""What a machine has to be capable of before it loads a target; asked on each one that will."""

from __future__ import annotations

from tasks.replay.descriptors import allow_descriptors
from tasks.replay.http2_probe import probe_http2
from tasks.replay.job import HTTP_VERSIONS, Job
from tasks.replay.target_url import probe
from tasks.replay.worker import tls_context


def check_reach(job: Job) -> None:
    """Open files for all connections, and a target that answers, in the job's protocol.

    Raises BadInput, HostUnreachable, ServiceFailed.
    """
    allow_descriptors(job.connections, each=HTTP_VERSIONS[job.http])
    probe(job.endpoint)
    if job.http == "2":
        probe_http2(job.endpoint, tls_context(job.ca_file) if job.endpoint.tls else None)
