"""Azure's Resource Manager: reads what is deployed, as far as the checks look at it."""

from __future__ import annotations

import contextlib
from typing import TypeVar

import msgspec

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.session import Session
from sentinelone_source.config.azure import Cloud
from sentinelone_source.errors import SourceError

T = TypeVar("T")


class NotAllowed(SourceError):
    """The identity may not read this resource."""


class Missing(SourceError):
    """There is no such resource."""


class Manager:
    """Reads resources; `base` is its address, if not the cloud's."""

    def __init__(self, cloud: Cloud, credential: Credential, web: Session, base: str = "") -> None:
        self._base = base or cloud.manager
        self._scope = f"{cloud.manager}/.default"
        self._credential = credential
        self._web = web

    def get(self, resource: str, version: str, into: type[T]) -> T:
        """What `into` wants of a resource, by its id, `/subscriptions/...`.

        Raises:
            NotAllowed, Missing: 401 and 403, 404.
            SourceError: no answer, or one that cannot be understood.
        """
        token = self._credential.token(self._scope)
        with self._web.answer(
            self._base,
            "GET",
            f"{self._base}{resource}",
            params={"api-version": version},
            headers={"Authorization": f"Bearer {token.value}"},
        ) as answer:
            status, body = answer.status_code, answer.content
        if status in (401, 403):
            raise NotAllowed(f"HTTP {status}: this identity may not read it")
        if status == 404:
            raise Missing("HTTP 404: not found")
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if status == 200:
                return msgspec.json.decode(body, type=into)
        raise SourceError(f"{self._base}: HTTP {status}, unexpected answer")


class DeployedColumn(msgspec.Struct):
    name: str
    type: str


class Declaration(msgspec.Struct):
    columns: list[DeployedColumn] = []


class Flow(msgspec.Struct, rename="camel"):
    streams: list[str] = []
    destinations: list[str] = []
    transform_kql: str | None = None
    output_stream: str | None = None


class _Destination(msgspec.Struct, rename="camel"):
    name: str = ""
    workspace_resource_id: str = ""


class _Destinations(msgspec.Struct, rename="camel"):
    log_analytics: list[_Destination] = []


class RuleProperties(msgspec.Struct, rename="camel"):
    immutable_id: str = ""
    stream_declarations: dict[str, Declaration] = {}
    data_flows: list[Flow] = []
    destinations: _Destinations = msgspec.field(default_factory=_Destinations)
    endpoints: dict[str, str | None] | None = None


class DeployedRule(msgspec.Struct):
    properties: RuleProperties


class _Schema(msgspec.Struct, rename="camel"):
    columns: list[DeployedColumn] = []
    # Azure adds these columns, and sometimes TimeGenerated
    standard_columns: list[DeployedColumn] = []


class TableProperties(msgspec.Struct):
    schema: _Schema
    plan: str = ""


class DeployedTable(msgspec.Struct):
    properties: TableProperties


class DiagnosticSettings(msgspec.Struct):
    value: list[msgspec.Raw] = []
