"""The container parts of a threat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import words

if TYPE_CHECKING:
    from random import Random

    from .tenant import Host


def container(rng: Random, host: Host | None) -> dict[str, Any]:
    """`containerInfo`, all null on a machine without containers."""
    if host is None:
        return dict.fromkeys(("id", "image", "isContainerQuarantine", "labels", "name"))
    return {
        "id": words.hexes(rng, 64),
        "image": f"registry.northwind.test/shop/checkout:{rng.randrange(1, 9)}.4",
        "isContainerQuarantine": False,
        "labels": [f"maintainer={host.user.email}", "tier=frontend"],
        "name": "checkout",
    }


def ecs(rng: Random) -> dict[str, Any]:
    """`ecsInfo` of a container in Amazon's service."""
    arn = f"arn:aws:ecs:eu-west-1:{rng.randrange(10**11, 10**12)}"
    return {
        "clusterName": "shop",
        "serviceArn": f"{arn}:service/shop/checkout",
        "serviceName": "checkout",
        "taskArn": f"{arn}:task/shop/{words.hexes(rng, 32)}",
        "taskAvailabilityZone": "eu-west-1b",
        "taskDefinitionArn": f"{arn}:task-definition/checkout:31",
        "taskDefinitionFamily": "checkout",
        "taskDefinitionRevision": "31",
        "type": "FARGATE",
        "version": "1.4.0",
    }


def kubernetes(host: Host | None) -> dict[str, Any]:
    """`kubernetesInfo`, all null on a machine without pods."""
    labels = ["app=checkout", "pod-template-hash=7c9d8b6f4"] if host else None
    return {
        "cluster": "shop-eu" if host else None,
        "controllerKind": "Deployment" if host else None,
        "controllerLabels": labels,
        "controllerName": "checkout" if host else None,
        "isContainerQuarantine": None,
        "namespace": "shop" if host else None,
        "namespaceLabels": ["kubernetes.io/metadata.name=shop"] if host else None,
        "node": host.name.lower() if host else None,
        "nodeLabels": ["node.kubernetes.io/instance-type=m6i.large"] if host else None,
        "pod": "checkout-7c9d8b6f4-x2lqp" if host else None,
        "podLabels": labels,
    }
