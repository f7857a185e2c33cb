"""A deployment, before it is written down in one of the three languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Part = Literal["tables", "rule"]
Home = Literal["workspace", "group", "rule"]


@dataclass(frozen=True)
class Said:
    """One expression, said in each language. ARM's has no brackets around it."""

    arm: str
    bicep: str
    terraform: str


@dataclass(frozen=True)
class Parameter:
    """What the person who deploys may say.

    Attributes:
        name: in ARM and Bicep; Terraform says it with underscores.
        default: None where it must be given.
        languages: those that have it.
    """

    name: str
    description: str
    default: str | int | Said | None = None
    languages: tuple[str, ...] = ("arm", "bicep", "terraform")

    @property
    def type(self) -> str:
        """In ARM and Bicep."""
        return "int" if isinstance(self.default, int) else "string"

    @property
    def snake(self) -> str:
        """The name in Terraform."""
        return snake(self.name)

    @property
    def value(self) -> Said:
        """The expression that reads it."""
        return Said(f"parameters('{self.name}')", self.name, f"var.{self.snake}")


@dataclass(frozen=True)
class Resource:
    """One resource.

    Attributes:
        key: what the other resources of the template call it.
        home: where it lives: a child of the workspace, in the resource group, or on the rule.
        members: top-level members beside name, location and properties.
        after: keys of the resources that must be there first.
        unless_empty: the parameter without which it is not made.
        lasting: whether its removal would take data along.
        exports: members of the answer that outputs need.
    """

    key: str
    type: str
    version: str
    name: str | Said
    home: Home
    properties: dict[str, Any]
    location: str | Said | None = None
    members: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    unless_empty: Parameter | None = None
    lasting: bool = False
    exports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Output:
    """What config.toml wants to know; named as its key."""

    name: str
    description: str
    value: Said


@dataclass(frozen=True)
class Deployment:
    """Everything a template says."""

    parameters: tuple[Parameter, ...]
    resources: tuple[Resource, ...]
    outputs: tuple[Output, ...]


def snake(name: str) -> str:
    """`dcrName` as `dcr_name`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
