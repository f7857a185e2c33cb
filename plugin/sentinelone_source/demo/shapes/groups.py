"""Records of `groups`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ..moments import text
from . import words

if TYPE_CHECKING:
    from datetime import datetime

    from .tenant import Group, Tenant


def group(tenant: Tenant, of: Group, created: datetime, updated: datetime) -> dict[str, Any]:
    """A group as the API describes it, registration token and all."""
    rng = tenant.rng
    creator = rng.choice(tenant.people)
    is_dynamic = not of.is_default and rng.random() < 0.3
    secret = f'{{"url":"https://euce1-demo.test","site_key":"g_{words.hexes(rng, 16)}"}}'
    return {
        "createdAt": text(created),
        "creator": creator.name,
        "creatorId": creator.id,
        "description": f"Machines of {of.site.name}" if rng.random() < 0.7 else None,
        "filterId": tenant.next_id(created) if is_dynamic else None,
        "filterName": f"OS and location of {of.name}" if is_dynamic else None,
        "id": of.id,
        "inherits": rng.random() < 0.8,
        "isDefault": of.is_default,
        "name": of.name,
        "rank": rng.randrange(1, 30) if is_dynamic else None,
        "registrationToken": base64.b64encode(secret.encode()).decode(),
        "siteId": of.site.id,
        "totalAgents": rng.randrange(400),
        "type": "dynamic" if is_dynamic else "static",
        "updatedAt": text(updated),
    }
