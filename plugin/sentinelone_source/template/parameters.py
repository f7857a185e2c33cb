"""What the person who deploys may say, and what it makes of the rule's and the role's names."""

from __future__ import annotations

from sentinelone_source.template.model import Output, Parameter, Said

# Monitoring Metrics Publisher: the built-in role that may send to a rule.
SENDER_ROLE = "3913510d-42f4-4e42-8a64-420c390055eb"
RULE_VERSION = "2023-03-11"

WORKSPACE = Parameter(
    "workspaceResourceId",
    "The Log Analytics workspace: /subscriptions/.../workspaces/NAME.",
)
GROUP = Parameter(
    "resourceGroupId",
    "Where the rule and its alerts go: /subscriptions/.../resourceGroups/NAME; empty: where the "
    "workspace is.",
    default="",
    languages=("terraform",),
)
LOCATION = Parameter(
    "location",
    "The workspace's region: the rule must be in the same one.",
    default=Said("resourceGroup().location", "resourceGroup().location", ""),
    languages=("arm", "bicep"),
)
RULE_NAME = Parameter("dcrName", "The data collection rule's name.", default="dcr-sentinelone")
SENDER = Parameter(
    "senderPrincipalId",
    "Who sends: the object id of the service principal (of the enterprise application, not of the "
    "app registration) or of the managed identity; empty: no role is granted.",
)
ENDPOINT = Parameter(
    "dataCollectionEndpointId",
    "A data collection endpoint (private link needs one); empty: the rule's own endpoint.",
    default="",
)
ACTIONS = Parameter(
    "actionGroupId", "The action group that the alerts call; empty: none is called.", default=""
)
RETENTION = Parameter(
    "retentionInDays",
    "How long the tables can be queried, 4 to 730 days; -1: as long as the workspace says.",
    default=-1,
)
TOTAL_RETENTION = Parameter(
    "totalRetentionInDays",
    "The same with the archive, 4 to 4383 days; -1: no archive.",
    default=-1,
)

RULE_ID = Said(
    f"resourceId('Microsoft.Insights/dataCollectionRules', {RULE_NAME.value.arm})",
    "rule.id",
    "azapi_resource.rule.id",
)
ROLE_ID = Said(
    f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{SENDER_ROLE}')",
    f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{SENDER_ROLE}')",
    '"/subscriptions/${split("/", local.resource_group_id)[2]}/providers/'
    f'Microsoft.Authorization/roleDefinitions/{SENDER_ROLE}"',
)


def outputs() -> tuple[Output, ...]:
    """What `[azure]` of config.toml wants to know."""
    answer = f"reference({RULE_ID.arm}, '{RULE_VERSION}')"
    exported = "azapi_resource.rule.output.properties"
    tenant = Said("tenant().tenantId", "tenant().tenantId", "data.azapi_client_config.me.tenant_id")
    immutable = Said(
        f"{answer}.immutableId", "rule.properties.immutableId", f"{exported}.immutableId"
    )
    return (
        Output("tenant_id", "The Entra tenant.", tenant),
        Output("endpoint", "The logs ingestion endpoint.", _ingestion(answer, exported)),
        Output("dcr_immutable_id", "What the rule is called in the ingestion URL.", immutable),
        Output("dcr_resource_id", "The rule; doctor compares it with the mappings.", RULE_ID),
    )


def _ingestion(answer: str, exported: str) -> Said:
    """The rule's own endpoint, unless another one was named."""
    other = ENDPOINT.value
    member = "logsIngestion.endpoint"
    named = f"reference({other.arm}, '{RULE_VERSION}').{member}"
    return Said(
        f"if(empty({other.arm}), {answer}.endpoints.logsIngestion, {named})",
        f"empty({other.bicep}) ? rule.properties.endpoints.logsIngestion : "
        f"reference({other.bicep}, '{RULE_VERSION}').{member}",
        f'{other.terraform} == "" ? {exported}.endpoints.logsIngestion : '
        f"data.azapi_resource.endpoint[0].output.properties.{member}",
    )
