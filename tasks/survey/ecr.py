"""Image repositories and the images in them."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models.resource import Resource
from inventory.models.site import Site
from tasks.survey.surveyor import Ask, Surveyor, chosen, tags_of


def _collect(ask: Ask, _site: Site) -> Iterator[Resource]:
    for found in ask.items("ecr", "describe_repositories", "repositories"):
        name = found["repositoryName"]
        answer = ask.one("ecr", "list_tags_for_resource", {"resourceArn": found["repositoryArn"]}) or {}
        yield Resource(
            service="ecr",
            region=ask.region,
            kind="repository",
            id=name,
            arn=found.get("repositoryArn", ""),
            name=name,
            tags=tags_of(answer, "tags"),
            attributes=chosen(found, uri="repositoryUri", made_at="createdAt"),
        )
        parameters = {"registryId": found["registryId"], "repositoryName": name}
        for image in ask.items("ecr", "describe_images", "imageDetails", parameters):
            digest = image["imageDigest"]
            attributes = chosen(image, bytes="imageSizeInBytes", pushed_at="imagePushedAt")
            attributes["repository"] = name
            attributes["image_tags"] = sorted(image.get("imageTags") or ())
            yield Resource(
                service="ecr",
                region=ask.region,
                kind="image",
                id=f"{name}@{digest}",
                name=name,
                attributes=attributes,
            )


SURVEYOR = Surveyor(
    service="ecr",
    scope="region",
    actions=("ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:ListTagsForResource"),
    collect=_collect,
)
