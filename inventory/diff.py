"""What is declared, against what a survey found. Pure.

A site file names its bucket, database, registry, zone, load balancer and nodes anyway; what hangs on them
(the volumes of a node, the snapshots of a volume, the records of a zone) belongs to the exit as they do.
Whatever else is found is either undeclared (in the home region, or global), and then somebody has to say
whose it is, or lies in another region and stays outside this exit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from inventory.models.resource import Resource, Survey
from inventory.models.site import AwsMatch, Site

Matches = Callable[[Resource], bool]
Key = tuple[str, str, str, str]  # service, region, kind, id


@dataclass(frozen=True)
class Declaration:
    """One thing that the site file names: where in the file, in words, and what was found of it."""

    key: str  # "source.bucket.name"
    what: str  # "the bucket media"
    required: bool  # whether it must be found in the account: a database need not be an RDS one
    found: tuple[Resource, ...]


@dataclass(frozen=True)
class Difference:
    """Declared against found, for the AWS account; every AWS resource of the survey is in exactly one of
    `exit`, `stays`, `undeclared` and `outside`."""

    declarations: tuple[Declaration, ...]
    exit: tuple[Resource, ...]  # what this exit moves, replaces or ends
    stays: tuple[Resource, ...]  # declared as not part of it
    undeclared: tuple[Resource, ...]  # in the home region or global, and named nowhere
    outside: tuple[Resource, ...]  # in other regions, and named nowhere

    @property
    def missing(self) -> tuple[Declaration, ...]:
        """What is declared, must be there, and was not found."""
        return tuple(each for each in self.declarations if each.required and not each.found)


def compare(site: Site, survey: Survey) -> Difference:
    """The difference. It says nothing of how complete the survey is: the coverage does."""
    found = [each for each in survey.resources if each.service != "kubernetes"]
    declarations = tuple(
        Declaration(key, what, required, tuple(filter(matches, found)))
        for key, what, required, matches in _declared(site, survey)
    )
    named = [each for declaration in declarations for each in declaration.found]
    stays = {_key(each) for each in found if any(_fits(match, each) for match in site.source.aws.stays)}
    part = _with_what_hangs_on(named, found, exclude=stays)
    known = part | stays
    rest = [each for each in found if _key(each) not in known]
    near = (site.source.aws.home_region, "global")
    return Difference(
        declarations=declarations,
        exit=tuple(each for each in found if _key(each) in part),
        stays=tuple(each for each in found if _key(each) in stays - part),
        undeclared=tuple(each for each in rest if each.region in near),
        outside=tuple(each for each in rest if each.region not in near),
    )


def _declared(site: Site, survey: Survey) -> Iterable[tuple[str, str, bool, Matches]]:
    source = site.source
    aws_bucket = source.bucket.endpoint_url in ("", source.aws.endpoint_url)
    bucket, zone = source.bucket.name, site.dns.zone
    yield "source.bucket.name", f"the bucket {bucket}", aws_bucket, _is("s3", "bucket", bucket)
    yield "dns.zone", f"the hosted zone {zone}", False, _is("route53", "hosted-zone", zone)

    edge = source.edge.address
    is_balancer = edge.endswith(".elb.amazonaws.com")
    yield "source.edge.address", f"the load balancer {edge}", is_balancer, _balancer(edge)

    host = f"{source.database.host}:{source.database.port}"
    is_rds = ".rds.amazonaws.com" in source.database.host
    yield "source.database.host", f"the database {host}", is_rds, _database(host)

    registry = source.registry.address
    is_ecr = ".dkr.ecr." in registry
    yield "source.registry.address", f"repositories of {registry}", is_ecr, _repository(registry, survey)

    for number, node in enumerate(source.nodes):
        address = str(node.address)
        yield f"source.nodes[{number}]", f"the node {node.name} ({address})", True, _instance(address)
    for number, match in enumerate(source.aws.belongs):
        what = f"{match.service} {match.name}"
        yield f"source.aws.belongs[{number}]", what, True, partial(_fits, match)
    if tags := source.aws.tags:
        what = "what carries " + ", ".join(f"{key}={value}" for key, value in tags.items())
        yield "source.aws.tags", what, True, lambda each: tags.items() <= each.tags.items()


def _is(service: str, kind: str, name: str) -> Matches:
    return lambda each: (each.service, each.kind, each.name) == (service, kind, name)


def _balancer(address: str) -> Matches:
    def matches(each: Resource) -> bool:
        names = (each.attributes.get("dns_name"), each.tags.get("address"))
        return each.kind == "load-balancer" and address in names

    return matches


def _database(host: str) -> Matches:
    def matches(each: Resource) -> bool:
        places = (
            each.attributes.get("endpoint"),
            each.tags.get("endpoint"),
            each.tags.get("public-endpoint"),
        )
        return each.kind == "db-instance" and host in places

    return matches


def _repository(registry: str, survey: Survey) -> Matches:
    """A repository under the registry's address, or one that the source's workloads take an image from.

    Workloads count with their pods: after `finalize` there are no pods.
    """
    used = set()
    for each in survey.resources:
        if each.service == "kubernetes":
            for image in each.attributes.get("images") or ():
                if str(image).startswith(f"{registry}/"):
                    used.add(str(image)[len(registry) + 1 :].partition("@")[0].partition(":")[0])
    bare = registry.removesuffix(":443")

    def matches(each: Resource) -> bool:
        in_registry = str(each.attributes.get("uri", "")).partition("/")[0] in (registry, bare)
        return each.kind == "repository" and (in_registry or each.name in used)

    return matches


def _instance(address: str) -> Matches:
    def matches(each: Resource) -> bool:
        seen = {each.attributes.get("private_ip"), each.attributes.get("public_ip")}
        return each.kind == "instance" and address in seen | set(each.attributes.get("addresses") or ())

    return matches


def _fits(match: AwsMatch, each: Resource) -> bool:
    if each.service != match.service or match.region not in ("", each.region):
        return False
    return any(fnmatchcase(value, match.name) for value in (each.id, each.name, each.arn) if value)


def _with_what_hangs_on(named: Iterable[Resource], found: list[Resource], exclude: set[Key]) -> set[Key]:
    """The named resources and, until nothing is added, whatever hangs on one of them."""
    hanging: dict[Key, list[Key]] = defaultdict(list)
    for each in found:
        for owner in _owners(each):
            hanging[owner].append(_key(each))
        for child in _children(each):
            hanging[_key(each)].append(child)
    there = {_key(each) for each in found} - exclude
    waiting = [_key(each) for each in named]
    part = set(waiting)
    while waiting:
        for key in hanging[waiting.pop()]:
            if key in there and key not in part:
                part.add(key)
                waiting.append(key)
    return part


def _owners(each: Resource) -> Iterable[Key]:
    """What a resource hangs on, as it says itself."""
    said, region = each.attributes, each.region
    match each.kind:
        case "target-group":
            # The ARN ends with app/NAME/ID.
            names = (str(arn).split("/")[-2] for arn in said.get("load_balancers") or ())
            return [(each.service, region, "load-balancer", name) for name in names]
        case "volume":
            return [("ec2", region, "instance", instance) for instance in said.get("instances") or ()]
        case "snapshot":
            return [("ebs", region, "volume", str(said.get("volume")))]
        case "db-snapshot":
            return [("rds", region, "db-instance", str(said.get("instance")))]
        case "db-instance":
            return [("rds", region, "db-instance", str(said.get("replica_of")))]
        case "record":
            return [("route53", region, "hosted-zone", each.id.partition("/")[0])]
        case "image":
            return [("ecr", region, "repository", str(said.get("repository")))]
    return []


def _children(each: Resource) -> Iterable[Key]:
    """What hangs on a resource, as it says itself: a target group names its instances."""
    if each.kind != "target-group":
        return []
    return [("ec2", each.region, "instance", target["id"]) for target in each.attributes.get("targets") or ()]


def _key(each: Resource) -> Key:
    return each.service, each.region, each.kind, each.id
